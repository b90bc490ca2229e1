package service_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/upstream"
	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

// leased is a service account of a sandbox with a key.
type leased struct {
	keys    adminv1connect.ProjectApiKeyServiceClient
	project string
	key     string
	secret  string
}

// newKey makes an account with a key that ends in an hour.
func newKey(t *testing.T, client *connect.Client) leased {
	t.Helper()
	projects, err := adminv1connect.NewProjectServiceClient(client).CreateProject(t.Context(), &adminv1.CreateProjectRequest{Name: "ends"})
	if err != nil {
		t.Fatal(err)
	}
	made, err := adminv1connect.NewProjectServiceAccountServiceClient(client).CreateProjectServiceAccount(t.Context(), &adminv1.CreateProjectServiceAccountRequest{
		ProjectId: projects.GetProject().GetId(), Name: "ends", ExpiresInSeconds: proto.Int64(3600),
	})
	if err != nil {
		t.Fatal(err)
	}
	return leased{
		keys:    adminv1connect.NewProjectApiKeyServiceClient(client),
		project: projects.GetProject().GetId(), key: made.GetApiKey().GetId(), secret: made.GetApiKey().GetValue(),
	}
}

func (l leased) until(t *testing.T, at time.Time) (*adminv1.ProjectApiKey, error) {
	t.Helper()
	answer, err := l.keys.UpdateProjectApiKey(t.Context(), &adminv1.UpdateProjectApiKeyRequest{
		ProjectId: l.project, ApiKeyId: l.key, ExpiresAt: timestamppb.New(at),
	})
	return answer.GetProjectApiKey(), err
}

// TestAQueueProlongsNothing: an end that is given as an instant is the same however
// long the request waits for the budget, and the key is dead at that instant.
func TestAQueueProlongsNothing(t *testing.T) {
	t.Parallel()
	const calls, window = 4, time.Second
	fake := gatewaytest.NewSandbox(t, sandbox.Options{Users: 5, Projects: 2, AuditEvents: 1})
	gateway := newPacedGateway(t, fake, pace.Options{
		Window: window, Margin: 0.01, Organization: pace.Limit{Calls: 1000, Burst: 10}, Default: pace.Limit{Calls: 1, Burst: 1},
	})
	key := newKey(t, gateway.Client("root"))
	asked := time.Now().Add(time.Minute).Truncate(time.Second)
	var all sync.WaitGroup
	for range calls {
		all.Go(func() {
			got, err := key.until(t, asked)
			if err != nil {
				t.Error(err)
				return
			}
			if end := got.GetExpiresAt().AsTime(); end.After(asked) || end.Before(asked.Add(-2*time.Second)) {
				t.Errorf("the key ends at %s, asked for was %s", end, asked)
			}
		})
	}
	all.Wait()
	if !fake.KeyAlive(key.secret) {
		t.Error("the key is dead before its end")
	}
	fake.SetClock(asked)
	if fake.KeyAlive(key.secret) {
		t.Error("the key outlives its end")
	}
	if _, err := key.until(t, asked.Add(time.Hour)); connect.CodeOf(err) != connect.CodeInvalidArgument && connect.CodeOf(err) != connect.CodeFailedPrecondition {
		t.Errorf("an expired key is changed: %v", err)
	}
}

// TestAKeyEnds: a key that is made with an end is dead then, and shown with its end.
func TestAKeyEnds(t *testing.T) {
	t.Parallel()
	fake := gatewaytest.NewSandbox(t, sandbox.Options{Users: 5, Projects: 2, AuditEvents: 1})
	key := newKey(t, gatewaytest.New(t, gatewaytest.WithSandbox(fake)).Client("root"))
	shown, err := key.keys.GetProjectApiKey(t.Context(), &adminv1.GetProjectApiKeyRequest{ProjectId: key.project, ApiKeyId: key.key})
	if err != nil {
		t.Fatal(err)
	}
	made, end := shown.GetProjectApiKey().GetCreatedAt().AsTime(), shown.GetProjectApiKey().GetExpiresAt().AsTime()
	if end.Sub(made) != time.Hour {
		t.Errorf("made at %s, ends at %s", made, end)
	}
	fake.SetClock(end.Add(-time.Second))
	if !fake.KeyAlive(key.secret) {
		t.Error("the key is dead before its end")
	}
	fake.SetClock(end)
	if fake.KeyAlive(key.secret) {
		t.Error("the key outlives its end")
	}
}

// TestAnEndThatComesInTheQueue: nothing is sent for it.
func TestAnEndThatComesInTheQueue(t *testing.T) {
	t.Parallel()
	fake := gatewaytest.NewSandbox(t, sandbox.Options{Users: 5, Projects: 2, AuditEvents: 1})
	gateway := newPacedGateway(t, fake, pace.Options{
		Window: 4 * time.Second, Margin: 0.01, Organization: pace.Limit{Calls: 1000, Burst: 10}, Default: pace.Limit{Calls: 1, Burst: 1},
	})
	key := newKey(t, gateway.Client("root"))
	if _, err := key.until(t, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	_, err := key.until(t, time.Now().Add(2*time.Second))
	if connect.CodeOf(err) != connect.CodeDeadlineExceeded || reason(t, err) != upstream.ReasonEndPassed {
		t.Errorf("%v", err)
	}
	if n := fake.Count("POST /organization/projects/{project_id}/api_keys/{api_key_id}"); n != 1 {
		t.Errorf("the upstream was asked %d times", n)
	}
	if _, err := key.until(t, time.Now().Add(-time.Second)); connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("an end in the past: %v", err)
	}
}

// sent is an upstream that keeps the last body, and answers with a key.
type sent struct {
	mu      sync.Mutex
	bodies  []string
	failure error
}

func (s *sent) Do(_ context.Context, _ *upstream.Endpoint, r *upstream.Request) (*upstream.Reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bodies = append(s.bodies, string(r.Body))
	if s.failure != nil {
		return nil, s.failure
	}
	return &upstream.Reply{Status: http.StatusOK, Body: []byte(`{"id":"key_1","object":"organization.project.api_key","name":"a","created_at":1,"value":"sk-x","redacted_value":"sk-…","owner":{"type":"user"}}`)}, nil
}

func (s *sent) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	bodies := s.bodies
	s.bodies = nil
	return bodies
}

// violates says whether an error names a field of the request.
func violates(t *testing.T, err error, field string) bool {
	t.Helper()
	for _, violation := range details[*errdetails.BadRequest](t, err) {
		if len(violation.GetFieldViolations()) == 1 && violation.GetFieldViolations()[0].GetField() == field {
			return true
		}
	}
	return false
}

// TestEmptyListsNeedConsent: a list of scopes that is empty removes all restrictions,
// and goes up only for a caller who says that this is meant; at the REST door, whose
// protocol has no word for it, for one who has a permission of its own.
func TestEmptyListsNeedConsent(t *testing.T) {
	t.Parallel()
	up := new(sent)
	h := newRESTGateway(t, gatewaytest.WithUpstream(up), gatewaytest.WithPolicy(`
callers:
  - name: root
    authenticate: [{token_sha256: $root}]
    grants: [{permissions: ["*"]}]
    limits: $free
  - name: team
    authenticate: [{token_sha256: $team}]
    grants: [{permissions: [projects.api_keys.update, projects.service_accounts.api_keys.create]}]
    limits: $free
`))
	found := 0
	for _, m := range catalogtest.Gateway(t).Mirrored() {
		for _, consent := range m.Consents() {
			found++
			request := m.Request.New()
			for _, variable := range m.Variables() {
				request.Set(variable, protoreflect.ValueOfString("id_1"))
			}
			request.Mutable(consent.List)
			path := "/v1" + pathVariable.ReplaceAllString(m.Endpoint.Template(), "id_1")
			body := `{"` + string(consent.List.Name()) + `":[]}`

			err := h.Client("team").CallUnary(t.Context(), m.Spec(), request.Interface(), m.Response.New().Interface())
			if connect.CodeOf(err) != connect.CodeInvalidArgument || !violates(t, err, string(consent.List.Name())) || len(up.take()) > 0 {
				t.Errorf("%s with an empty list: %v", m.ShortName(), err)
			}
			request.Set(consent.Field, protoreflect.ValueOfBool(true))
			if err := h.Client("team").CallUnary(t.Context(), m.Spec(), request.Interface(), m.Response.New().Interface()); err != nil {
				t.Errorf("%s with consent: %v", m.ShortName(), err)
			}
			if bodies := up.take(); len(bodies) != 1 || bodies[0] != body {
				t.Errorf("%s with consent is sent as %s", m.ShortName(), bodies)
			}

			refused := h.send(t, http.MethodPost, path, strings.NewReader(body), "Authorization: Bearer "+admissiontest.TokenOf("team"))
			if message, _, _, _ := refused.errorBody(t); refused.status != http.StatusForbidden || !strings.Contains(message, "projects.api_keys.allow_all_scopes") || len(up.take()) > 0 {
				t.Errorf("%s through REST without the permission: %d %s", m.ShortName(), refused.status, refused.body)
			}
			if passed := h.send(t, http.MethodPost, path, strings.NewReader(body)); passed.status != http.StatusOK {
				t.Errorf("%s through REST with the permission: %d %s", m.ShortName(), passed.status, passed.body)
			}
			if bodies := up.take(); len(bodies) != 1 || bodies[0] != body {
				t.Errorf("%s through REST is sent as %s", m.ShortName(), bodies)
			}
			named := strings.TrimSuffix(body, "}") + `,"` + string(consent.Field.Name()) + `":true}`
			if unknown := h.send(t, http.MethodPost, path, strings.NewReader(named)); unknown.status != http.StatusBadRequest || len(up.take()) > 0 {
				t.Errorf("%s: the upstream's API gets a member that it does not have: %d", m.ShortName(), unknown.status)
			}
		}
	}
	if found != 2 {
		t.Errorf("%d consents", found)
	}
}

// TestRestartsAreSaid: a write whose repetition would count from another moment says
// so when it may have been made, and one with an instant does not.
func TestRestartsAreSaid(t *testing.T) {
	t.Parallel()
	up := &sent{failure: &upstream.Error{Kind: upstream.OutcomeUnknown, Reason: upstream.ReasonOutcomeUnknown}}
	keys := adminv1connect.NewProjectApiKeyServiceClient(gatewaytest.New(t, gatewaytest.WithUpstream(up)).Client("root"))
	for field, request := range map[string]*adminv1.UpdateProjectApiKeyRequest{
		"expires_in_seconds": {ProjectId: "p", ApiKeyId: "k", ExpiresInSeconds: proto.Int64(60)},
		"":                   {ProjectId: "p", ApiKeyId: "k", ExpiresAt: timestamppb.New(time.Now().Add(time.Hour))},
	} {
		_, err := keys.UpdateProjectApiKey(t.Context(), request)
		infos := details[*errdetails.ErrorInfo](t, err)
		if len(infos) != 1 {
			t.Errorf("%v", err)
			continue
		}
		info := infos[0]
		if info.GetReason() != upstream.ReasonOutcomeUnknown || info.GetMetadata()["restarts"] != field || len(up.take()) != 1 {
			t.Errorf("%v, metadata %v; want restarts %q", err, info.GetMetadata(), field)
		}
	}
}

// TestAMaskHidesNoEnd: an end is sent also where a mask names other fields, because a
// key that is made without one never ends.
func TestAMaskHidesNoEnd(t *testing.T) {
	t.Parallel()
	up := new(sent)
	accounts := adminv1connect.NewProjectServiceAccountServiceClient(gatewaytest.New(t, gatewaytest.WithUpstream(up)).Client("root"))
	for _, paths := range [][]string{{"name"}, {"name", "expires_in_seconds"}} {
		if _, err := accounts.CreateProjectServiceAccount(t.Context(), &adminv1.CreateProjectServiceAccountRequest{
			ProjectId: "p", Name: "a", ExpiresAt: timestamppb.New(time.Now().Add(time.Hour)), FieldMask: &fieldmaskpb.FieldMask{Paths: paths},
		}); err != nil {
			t.Fatal(err)
		}
		if bodies := up.take(); len(bodies) != 1 || !strings.Contains(bodies[0], `"expires_in_seconds":35`) {
			t.Errorf("an instant with the mask %v: %s", paths, bodies)
		}
		if _, err := accounts.CreateProjectServiceAccount(t.Context(), &adminv1.CreateProjectServiceAccountRequest{
			ProjectId: "p", Name: "a", ExpiresInSeconds: proto.Int64(60), FieldMask: &fieldmaskpb.FieldMask{Paths: paths},
		}); err != nil {
			t.Fatal(err)
		}
		if bodies := up.take(); len(bodies) != 1 || !strings.Contains(bodies[0], `"expires_in_seconds":60`) {
			t.Errorf("seconds with the mask %v: %s", paths, bodies)
		}
	}
}
