package service_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// accessPolicy has a caller for each way of not being allowed.
const accessPolicy = `
callers:
  - name: elsewhere
    limits: $free
    authenticate: [{token_sha256: $elsewhere}]
    grants: [{permissions: ["*"], projects: [proj_elsewhere]}]
  - name: powerless
    limits: $free
    authenticate: [{token_sha256: $powerless}]
    grants: [{permissions: [reflection.read]}]
  - name: forbidden
    limits: $free
    authenticate: [{token_sha256: $forbidden}]
    grants: [{permissions: ["*"]}]
    denies: [{permissions: ["*"]}]
  - name: never
    limits: $free
    authenticate: [{token_sha256: $never}]
    grants: [{permissions: ["*"], when: "1 == 2"}]
`

// TestRefusedCallersReachNothing calls every RPC through every door as callers that
// are not allowed to, with a request that would succeed. None reaches the sandbox.
func TestRefusedCallersReachNothing(t *testing.T) {
	t.Parallel()
	refused := map[string]connect.Code{
		"":          connect.CodeUnauthenticated, // no credential
		"unknown":   connect.CodeUnauthenticated, // a wrong one
		"powerless": connect.CodePermissionDenied,
		"elsewhere": connect.CodePermissionDenied,
		"forbidden": connect.CodePermissionDenied,
		"never":     connect.CodePermissionDenied,
	}
	for i, d := range doors {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			gw := newTourGateway(t, sandbox.Options{Users: 2, Projects: 1, AuditEvents: 1})
			gw.Policy.Set(t, accessPolicy)
			transport := gw.Transport(d)
			called := map[string]bool{}
			for _, s := range readTour(t, gw.Catalog) {
				request := s.message(t, validTourValues(t))
				for name, code := range refused {
					if i > 0 && name != "unknown" && name != "powerless" {
						continue // All doors lead to one pipeline: the other callers are tested at the first door.
					}
					err := gatewaytest.As(name, transport).CallUnary(t.Context(), s.method.Spec(), request, s.method.Response.New().Interface())
					if connect.CodeOf(err) != code {
						t.Errorf("%s by %q: %v, want %s", s.method.ShortName(), name, err, code)
					}
					wantNoLeak(t, name, err)
				}
				called[s.method.ShortName()] = true
			}
			if len(called) != len(gw.Catalog.Mirrored()) {
				t.Errorf("%d of %d methods were called", len(called), len(gw.Catalog.Mirrored()))
			}
			for operation, n := range gw.Sandbox.Counts() {
				if n > 0 {
					t.Errorf("%s was asked %d times", operation, n)
				}
			}
		})
	}
}

// wantNoLeak: who has no credential learns one thing; who has no permission
// learns which, and of nobody else.
func wantNoLeak(t *testing.T, name string, err error) {
	t.Helper()
	text := everything(err)
	for _, secret := range []string{"proj_elsewhere", "grants[", "denies[", "token_sha256", sandbox.DefaultAdminKey} {
		if strings.Contains(text, secret) {
			t.Errorf("%q sees %q: %s", name, secret, text)
		}
	}
	for _, other := range []string{"elsewhere", "powerless", "forbidden"} {
		if other != name && strings.Contains(text, other) {
			t.Errorf("%q sees the name of %q: %s", name, other, text)
		}
	}
}

// validTourValues has a valid id for every variable of a tour's requests.
func validTourValues(t *testing.T) tourValues {
	t.Helper()
	w := newTourValues(t)
	for _, name := range []string{"user", "other", "email", "group", "role", "busy", "project", "invite", "prole", "account", "bare", "akey", "akey2", "adminkey", "cert", "limit", "alert", "palert", "provider", "rule", "ekey", "storage"} {
		w[name] = "valid_1"
	}
	return w
}

// TestScopedCallerGetsItsProjects: a grant limited to a project opens exactly
// the methods whose requests name it, and nothing about the organization.
func TestScopedCallerGetsItsProjects(t *testing.T) {
	t.Parallel()
	methods := catalogtest.Gateway(t)
	gateway := gatewaytest.New(t, gatewaytest.WithUpstream(gatewaytest.LeastAnswers(t, "")), gatewaytest.WithPolicy(`
callers:
  - name: team
    authenticate: [{token_sha256: $team}]
    grants: [{permissions: ["*"], projects: [valid_1]}]
    limits: $free
`))
	client := gateway.Client("team")
	for _, s := range readTour(t, methods) {
		before := gateway.Asked.Load()
		request := s.message(t, validTourValues(t))
		projects := handleOf(t, methods, s.method).Projects(request.ProtoReflect())
		err := client.CallUnary(t.Context(), s.method.Spec(), request, s.method.Response.New().Interface())
		if reachesBeyond(request) {
			projects = nil
		}
		mine := len(projects) > 0 && !slices.ContainsFunc(projects, func(id string) bool { return id != "valid_1" })
		if mine != (err == nil) || mine != (gateway.Asked.Load() == before+1) {
			t.Errorf("tour.txt:%d: %s names %q: %v", s.line, s.method.ShortName(), projects, err)
		}
	}
}

// reachesBeyond says whether a request of the tour reaches beyond the project that it
// names.
func reachesBeyond(request proto.Message) bool {
	switch r := request.(type) {
	case *adminv1.UpdateProjectRequest: // The key is the organization's.
		return r.ExternalKeyId != nil || slices.Contains(r.GetUpdateMask().GetPaths(), "external_key_id")
	case *adminv1.CreateWorkloadIdentityFederationRuleRequest: // The account may be another project's.
		return true
	default:
		return false
	}
}

// TestAuthorizationIsBeforeAnythingThatAnswers: what a caller may not read must
// not come from what another's call brought or is bringing, whatever keeps or
// shares answers.
func TestAuthorizationIsBeforeAnythingThatAnswers(t *testing.T) {
	t.Parallel()
	arrived, release := make(chan struct{}, 8), make(chan struct{})
	up := gatewaytest.UpstreamFunc(func(ctx context.Context) (*upstream.Reply, error) {
		arrived <- struct{}{}
		select {
		case <-release:
		case <-ctx.Done():
		}
		return gatewaytest.AnswerProject(ctx)
	})
	gateway := gatewaytest.New(t, gatewaytest.WithUpstream(up), gatewaytest.WithPolicy(admissiontest.RootPolicy+accessPolicy[len("\ncallers:\n"):]))
	get := func(name string) error {
		_, err := adminv1connect.NewProjectServiceClient(gateway.Client(name)).GetProject(t.Context(), &adminv1.GetProjectRequest{ProjectId: "proj_1"})
		return err
	}
	refusedNow := func(when string) {
		t.Helper()
		for _, name := range []string{"elsewhere", "powerless", "forbidden", "never"} {
			if err := get(name); connect.CodeOf(err) != connect.CodePermissionDenied {
				t.Errorf("%s: %s got %v", when, name, err)
			}
		}
		if err := get("unknown"); connect.CodeOf(err) != connect.CodeUnauthenticated {
			t.Errorf("%s: an unknown caller got %v", when, err)
		}
	}
	done := make(chan error)
	go func() { done <- get("root") }()
	<-arrived
	refusedNow("while the same request is under way")
	close(release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	refusedNow("when the same request was answered")
	if len(arrived) != 0 {
		t.Errorf("the upstream was asked for a refused call")
	}
}

// TestUnknownMethodsAreRefused, whoever calls them.
func TestUnknownMethodsAreRefused(t *testing.T) {
	t.Parallel()
	log := new(gatewaytest.Records)
	gateway := gatewaytest.New(t, gatewaytest.WithAudit(log))
	for _, procedure := range []string{"/admingateway.admin.v1.ProjectService/Nope", "/nope", "/grpc.reflection.v1.ServerReflection/Nope"} {
		for name, code := range map[string]connect.Code{"root": connect.CodeUnimplemented, "": connect.CodeUnauthenticated} {
			err := gateway.Client(name).CallUnary(t.Context(), connect.Spec{StreamType: connect.StreamTypeUnary, Procedure: procedure},
				&adminv1.GetProjectRequest{}, &adminv1.GetProjectResponse{})
			if connect.CodeOf(err) != code {
				t.Errorf("%s by %q: %v, want %s", procedure, name, err, code)
			}
		}
	}
	if n := len(log.All()); n != 6 {
		t.Errorf("%d records of 6 calls", n)
	}
}

// TestRevocation: a caller that a reload removes is refused at its next call, on
// the connection that it has.
func TestRevocation(t *testing.T) {
	t.Parallel()
	gw := newTourGateway(t, sandbox.Options{Users: 2, Projects: 1, AuditEvents: 1})
	projects := adminv1connect.NewProjectServiceClient(gatewaytest.As("root", connecthttp.NewTransport(gw.HTTPS().Client, gw.HTTPS().URL, connecthttp.WithGRPC())))
	if _, err := projects.ListProjects(t.Context(), &adminv1.ListProjectsRequest{}); err != nil {
		t.Fatal(err)
	}
	gw.Policy.Set(t, accessPolicy)
	if _, err := projects.ListProjects(t.Context(), &adminv1.ListProjectsRequest{}); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("the caller that was removed got %v", err)
	}
}

// TestCallerLimits: calls beyond a caller's limits are refused with the time to
// wait, and another caller's are not.
func TestCallerLimits(t *testing.T) {
	t.Parallel()
	blocked, release := make(chan struct{}, 2), make(chan struct{})
	up := gatewaytest.UpstreamFunc(func(ctx context.Context) (*upstream.Reply, error) {
		select {
		case blocked <- struct{}{}:
		case <-ctx.Done(): // A third call, which should not have come.
			return nil, ctx.Err()
		}
		select {
		case <-release:
			return gatewaytest.AnswerProject(ctx)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	gateway := gatewaytest.New(t, gatewaytest.WithUpstream(up), gatewaytest.WithPolicy(`
callers:
  - name: slow
    authenticate: [{token_sha256: $slow}]
    grants: [{permissions: ["*"]}]
    limits: {requests_per_second: 0.001, burst: 2, concurrent: 1}
`+admissiontest.RootPolicy[len("\ncallers:\n"):]))
	get := func(name string) error {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		_, err := adminv1connect.NewProjectServiceClient(gateway.Client(name)).GetProject(ctx, &adminv1.GetProjectRequest{ProjectId: "proj_1"})
		return err
	}
	done := make(chan error, 2)
	go func() { done <- get("slow") }()
	<-blocked
	wantLimited(t, "a second call beside the first", get("slow"))
	go func() { done <- get("root") }()
	<-blocked
	close(release)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if err := get("slow"); err != nil {
		t.Errorf("the second of the burst: %v", err)
	}
	wantLimited(t, "a third call", get("slow"))
}

// TestDenialsNameOneProject: an error names the project that the caller named and may not
// have, and no other one.
func TestDenialsNameOneProject(t *testing.T) {
	t.Parallel()
	gateway := gatewaytest.New(t, gatewaytest.WithPolicy(accessPolicy))
	longest := strings.Repeat("a", 256) // A longer one is no id.
	for _, asked := range [][]string{{"proj_elsewhere", longest}, {longest, "proj_elsewhere", "proj_third"}} {
		_, err := adminv1connect.NewCostServiceClient(gateway.Client("elsewhere")).ListCosts(t.Context(), &adminv1.ListCostsRequest{
			StartTime: timestamppb.New(tourNow), ProjectIds: asked,
		})
		said, info := everything(err), details[*errdetails.ErrorInfo](t, err)
		if connect.CodeOf(err) != connect.CodePermissionDenied || len(info) != 1 || info[0].GetMetadata()["project"] != longest {
			t.Errorf("got %v with %v", err, info)
		}
		if strings.Contains(said, "proj_") {
			t.Errorf("it names others: %s", said)
		}
	}
}

func wantLimited(t *testing.T, what string, err error) {
	t.Helper()
	if connect.CodeOf(err) != connect.CodeResourceExhausted || reason(t, err) != rpcerror.ReasonCallerLimit {
		t.Errorf("%s: %v", what, err)
		return
	}
	for _, retry := range details[*errdetails.RetryInfo](t, err) {
		if retry.GetRetryDelay().AsDuration() > 0 {
			return
		}
	}
	t.Errorf("%s: refused without RetryInfo", what)
}

// TestEveryCallIsRecorded: one record a call, with who, what, which and why.
func TestEveryCallIsRecorded(t *testing.T) {
	t.Parallel()
	log := new(gatewaytest.Records)
	gateway := gatewaytest.New(t, gatewaytest.WithAudit(log), gatewaytest.WithPolicy(admissiontest.RootPolicy+accessPolicy[len("\ncallers:\n"):]))
	for _, test := range []struct {
		caller, project string
		want            audit.Record
	}{
		{"root", "proj_1", audit.Record{Caller: "root", Authenticated: "token", Permission: "projects.read", Decision: audit.DecisionAllowed, Grant: "grants[0]", Code: "ok"}},
		{"elsewhere", "proj_1", audit.Record{Caller: "elsewhere", Authenticated: "token", Permission: "projects.read", Decision: audit.DecisionDenied, Reason: "project_out_of_scope", Code: "permission_denied"}},
		{"powerless", "proj_1", audit.Record{Caller: "powerless", Authenticated: "token", Permission: "projects.read", Decision: audit.DecisionDenied, Reason: "no_permission", Code: "permission_denied"}},
		{"root", "../users", audit.Record{Caller: "root", Authenticated: "token", Permission: "projects.read", Decision: audit.DecisionInvalid, Code: "invalid_argument"}},
		{"", "proj_1", audit.Record{Decision: audit.DecisionUnauthenticated, Reason: "no_credential", Code: "unauthenticated"}},
	} {
		before := len(log.All())
		_, _ = adminv1connect.NewProjectServiceClient(gateway.Client(test.caller)).GetProject(t.Context(), &adminv1.GetProjectRequest{ProjectId: test.project})
		kept := log.All()[before:]
		if len(kept) != 1 {
			t.Fatalf("%+v: %d records", test, len(kept))
		}
		got := kept[0]
		if got.Caller != test.want.Caller || got.Authenticated != test.want.Authenticated || got.Permission != test.want.Permission ||
			got.Decision != test.want.Decision || got.Grant != test.want.Grant || got.Reason != test.want.Reason || got.Code != test.want.Code {
			t.Errorf("%s, %s: record %+v, want %+v", test.caller, test.project, got, test.want)
		}
		if got.Event != audit.EventCall || got.RequestID == "" || got.Method != "admingateway.admin.v1.ProjectService/GetProject" || got.Time.IsZero() || got.Duration <= 0 {
			t.Errorf("record %+v", got)
		}
		named := got.Decision == audit.DecisionAllowed || got.Reason == "project_out_of_scope"
		if named != (len(got.Resources) == 1 && got.Resources[0].ID == "proj_1") || named != slices.Equal(got.Projects, []string{"proj_1"}) {
			t.Errorf("resources %v, projects %v", got.Resources, got.Projects)
		}
	}
}

func handleOf(t *testing.T, methods *catalog.Catalog, m *catalog.Method) interface {
	Projects(request protoreflect.Message) []string
} {
	t.Helper()
	h, ok := methods.Access().Lookup(m.Procedure)
	if !ok {
		t.Fatalf("%s cannot be granted", m.ShortName())
	}
	return h
}
