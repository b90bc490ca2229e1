package admission_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/rpctest"
	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

// twoCallers: each may read in its own project.
const twoCallers = `
callers:
  - name: ann
    authenticate: [{token_sha256: $ann}]
    grants: [{permissions: ["projects.*"], projects: [proj_ann]}]
    limits: $free
  - name: ben
    authenticate: [{token_sha256: $ben}]
    grants: [{permissions: ["projects.*"], projects: [proj_ben]}]
    limits: $free
`

func controller(t *testing.T, text string) (*admission.Controller, *admissiontest.Policy) {
	t.Helper()
	policy := admissiontest.NewPolicy(t, catalogtest.Gateway(t), text)
	return admissiontest.NewController(t, policy), policy
}

// authorize asks for a project.
func authorize(ctx context.Context, t *testing.T, c *admission.Controller, project string) (admission.Permit, error) {
	t.Helper()
	return c.Authorize(ctx, catalogtest.Method(t, "ProjectService/GetProject"), (&adminv1.GetProjectRequest{ProjectId: project}).ProtoReflect())
}

func reasonOf(err error) string {
	if e, ok := errors.AsType[*rpcerror.Error](err); ok {
		return e.Reason
	}
	return ""
}

// TestNothingIsAuthorizedWithoutAPrincipal: a context that did not pass
// authentication gets no permit, and no caller.
func TestNothingIsAuthorizedWithoutAPrincipal(t *testing.T) {
	t.Parallel()
	c, _ := controller(t, admissiontest.RootPolicy)
	m := catalogtest.Method(t, "ProjectService/GetProject")
	request := (&adminv1.GetProjectRequest{ProjectId: "proj_1"}).ProtoReflect()
	_, partErr := c.Part(t.Context())
	_, _, projectsErr := c.Projects(t.Context(), m)
	permit, err := c.Authorize(t.Context(), m, request)
	if permit != nil {
		t.Error("there is a permit without a principal")
	}
	for name, err := range map[string]error{
		"Authorize": err, "MayCall": c.MayCall(t.Context(), m), "Check": c.Check(t.Context(), m, request), "Part": partErr, "Projects": projectsErr,
	} {
		// Not a refusal: the interceptors are not as they have to be.
		if err == nil || reasonOf(err) != "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, interceptor := range map[string]connect.ServerInterceptor{"WithLimits": c.WithLimits, "WithPermission": c.WithPermission} {
		if _, err := (rpctest.Call{Interceptors: []connect.ServerInterceptor{interceptor}}).Do(t.Context()); err == nil {
			t.Errorf("%s let a call without a principal pass", name)
		}
	}
}

// TestAuthorize: a permit has what was authorized; a refusal and an invalid request
// have none.
func TestAuthorize(t *testing.T) {
	t.Parallel()
	c, _ := controller(t, twoCallers)
	if err := admissiontest.Serve(t.Context(), c, "ann", func(ctx context.Context) error {
		account := &accounting.From(ctx).Admission
		permit, err := authorize(ctx, t, c, "proj_ann")
		if err != nil {
			return err
		}
		request, ok := permit.Request().Interface().(*adminv1.GetProjectRequest)
		if permit.Caller() != "ann" || permit.Method().ShortName() != "ProjectService/GetProject" || !ok || request.GetProjectId() != "proj_ann" {
			t.Errorf("permit %+v", permit)
		}
		if flow := permit.Flow(); flow != (pace.Flow{Key: "ann", Class: pace.Interactive}) {
			t.Errorf("flow %+v", flow)
		}
		if account.Verdict != audit.DecisionAllowed {
			t.Errorf("the account says %q", account.Verdict)
		}
		if permit, err := authorize(ctx, t, c, "proj_ben"); reasonOf(err) != rpcerror.ReasonPermissionDenied || permit != nil || account.Verdict != audit.DecisionDenied {
			t.Errorf("another project: %v, %v, the account says %q", permit, err, account.Verdict)
		}
		if permit, err := authorize(ctx, t, c, "../users"); err == nil || reasonOf(err) != "" || permit != nil {
			t.Errorf("an invalid request: %v, %v", permit, err)
		}
		ids, limited, err := c.Projects(ctx, catalogtest.Method(t, "ProjectService/GetProject"))
		if err != nil || !limited || !slices.Equal(ids, []string{"proj_ann"}) {
			t.Errorf("projects %q, limited %t, %v", ids, limited, err)
		}
		revoking, err := c.Authorize(ctx, catalogtest.Method(t, "ProjectUserService/DeleteProjectUser"), (&adminv1.DeleteProjectUserRequest{ProjectId: "proj_ann", UserId: "user_1"}).ProtoReflect())
		if err != nil || revoking.Flow().Class != pace.Revocation {
			t.Errorf("a revocation: %v, %v", revoking, err)
		}
		minting, err := c.Authorize(ctx, catalogtest.Method(t, "ProjectServiceAccountService/CreateProjectServiceAccount"), (&adminv1.CreateProjectServiceAccountRequest{ProjectId: "proj_ann", Name: "a"}).ProtoReflect())
		if err != nil || minting.Flow().Class != pace.Mint {
			t.Errorf("a create of a key: %v, %v", minting, err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// TestCallersOfCallsAreSeparate: a call that is made in the middle of another, in a
// context of it, has its own caller, and leaves that of the other alone.
func TestCallersOfCallsAreSeparate(t *testing.T) {
	t.Parallel()
	c, _ := controller(t, twoCallers)
	want := func(ctx context.Context, caller, mine, other string) {
		t.Helper()
		permit, err := authorize(ctx, t, c, mine)
		if err != nil || permit.Caller() != caller {
			t.Errorf("%s in %s: %v, %v", caller, mine, permit, err)
		}
		if _, err := authorize(ctx, t, c, other); reasonOf(err) != rpcerror.ReasonPermissionDenied {
			t.Errorf("%s in %s: %v", caller, other, err)
		}
	}
	if err := admissiontest.Serve(t.Context(), c, "ann", func(outer context.Context) error {
		want(outer, "ann", "proj_ann", "proj_ben")
		if err := admissiontest.Serve(outer, c, "ben", func(inner context.Context) error {
			want(inner, "ben", "proj_ben", "proj_ann")
			want(outer, "ann", "proj_ann", "proj_ben")
			return nil
		}); err != nil {
			return err
		}
		if err := admissiontest.Serve(outer, c, "unknown", func(context.Context) error { return nil }); reasonOf(err) != rpcerror.ReasonUnauthenticated {
			t.Errorf("an unknown caller in the context of another: %v", err)
		}
		want(outer, "ann", "proj_ann", "proj_ben")
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// TestPartUsesThePolicyInForce: a call is decided by the policy of its beginning, a
// part of it by the policy of its own time.
func TestPartUsesThePolicyInForce(t *testing.T) {
	t.Parallel()
	c, policy := controller(t, admissiontest.RootPolicy)
	m := catalogtest.Method(t, "ProjectService/GetProject")
	request := (&adminv1.GetProjectRequest{ProjectId: "proj_1"}).ProtoReflect()
	if err := admissiontest.Serve(t.Context(), c, "root", func(whole context.Context) error {
		part, err := c.Part(whole)
		if err != nil {
			return err
		}
		want := func(when string, ctx context.Context, allowed bool) {
			t.Helper()
			permit, err := authorize(ctx, t, c, "proj_1")
			for what, err := range map[string]error{"Authorize": err, "MayCall": c.MayCall(ctx, m), "Check": c.Check(ctx, m, request)} {
				if allowed != (err == nil) || !allowed && reasonOf(err) != rpcerror.ReasonPermissionDenied {
					t.Errorf("%s, %s: %v", when, what, err)
				}
			}
			if allowed && (permit.Caller() != "root" || permit.Flow().Class == pace.FanOut != (ctx == part)) {
				t.Errorf("%s: a permit of %q, flow %+v", when, permit.Caller(), permit.Flow())
			}
		}
		want("the call", whole, true)
		want("a part", part, true)
		policy.Set(t, admissiontest.RootPolicy+"    denies: [{permissions: [projects.read]}]\n")
		want("the call after a denial", whole, true)
		want("a part after a denial", part, false)
		policy.Set(t, admissiontest.RootPolicy)
		want("a part after the denial was taken back", part, true)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// TestPermitHasTheFreshness: the limit of the age is the call's own, and is ignored
// where the caller lacks the permission for it.
func TestPermitHasTheFreshness(t *testing.T) {
	t.Parallel()
	for policy, ignored := range map[string]bool{
		admissiontest.RootPolicy: false,
		"\ncallers:\n  - {name: root, authenticate: [{token_sha256: $root}], limits: $free, grants: [{permissions: [projects.read]}]}\n": true,
	} {
		c, _ := controller(t, policy)
		if err := admissiontest.Serve(t.Context(), c, "root", func(ctx context.Context) error {
			permit, err := authorize(ctx, t, c, "proj_1")
			if err != nil {
				return err
			}
			if want := (admission.Freshness{Limited: true, MaxAge: time.Minute, Ignored: ignored}); permit.Freshness() != want {
				t.Errorf("%+v, want %+v", permit.Freshness(), want)
			}
			return nil
		}, "Cache-Control", "max-age=60"); err != nil {
			t.Fatal(err)
		}
		if err := admissiontest.Serve(t.Context(), c, "root", func(ctx context.Context) error {
			permit, err := authorize(ctx, t, c, "proj_1")
			if err == nil && permit.Freshness() != (admission.Freshness{}) {
				t.Errorf("without a header: %+v", permit.Freshness())
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWithPermission goes by the procedure, before anything is decoded.
func TestWithPermission(t *testing.T) {
	t.Parallel()
	c, _ := controller(t, twoCallers)
	for procedure, want := range map[string]string{
		catalogtest.Method(t, "ProjectService/GetProject").Procedure: "",
		catalogtest.Method(t, "UserService/GetUser").Procedure:       rpcerror.ReasonPermissionDenied,
		"/admingateway.admin.v1.ProjectService/Nope":                 rpcerror.ReasonUnknownMethod,
		"/v1": rpcerror.ReasonUnknownMethod,
	} {
		served := false
		_, err := rpctest.Call{
			Procedure: procedure, Header: []string{"Authorization", "Bearer " + admissiontest.TokenOf("ann")},
			Interceptors: []connect.ServerInterceptor{accounting.WithCall, c.WithAuthentication, c.WithLimits, c.WithPermission},
			Handler: func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
				served = true
				return rpctest.Answer(ctx, spec, stream)
			},
		}.Do(t.Context())
		if served != (want == "") || reasonOf(err) != want || want == "" && err != nil {
			t.Errorf("%s: served %t, %v", procedure, served, err)
		}
	}
}

// TestOptionsAreRequired: a Controller without one of its parts would decide nothing.
func TestOptionsAreRequired(t *testing.T) {
	t.Parallel()
	validator, err := admission.NewValidator()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admission.New(admission.Options{Catalog: catalogtest.Gateway(t), Validator: validator}); err == nil {
		t.Error("there is a Controller without callers and an authenticator")
	}
	if err := validator.Validate(proto.Message(&adminv1.GetProjectRequest{ProjectId: ".."})); err == nil {
		t.Error("an id that leaves its path segment is valid")
	}
}
