package admission_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

const (
	updateKey = "ProjectApiKeyService/UpdateProjectApiKey"
	listKeys  = "ProjectApiKeyService/ListProjectApiKeys"
)

// newAgent is an Agent of two methods, at a gateway whose policy allows nothing.
func newAgent(t *testing.T) *admission.Agent {
	t.Helper()
	c, _ := controller(t, "\ncallers:\n  - {name: ann, authenticate: [{token_sha256: $ann}], limits: $free, grants: [{permissions: [users.read]}]}\n")
	a, err := c.Agent(catalogtest.Method(t, updateKey), catalogtest.Method(t, listKeys))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestAgentPermits: the gateway's own call is not decided by the policy, and is its own:
// it waits for whom it is for, and says what it is for.
func TestAgentPermits(t *testing.T) {
	t.Parallel()
	a := newAgent(t)
	ctx, account := accounting.Own(t.Context(), "leases", "")
	errand := admission.Errand{Caller: "ann", Class: pace.FanOut, Lease: "lease_1", Role: "search", Holder: "pod", Cause: "renewed"}
	request := &adminv1.UpdateProjectApiKeyRequest{ProjectId: "proj_1", ApiKeyId: "key_1", ExpiresAt: timestamppb.New(time.Now().Add(time.Hour))}
	permit, err := a.Permit(ctx, catalogtest.Method(t, updateKey), request.ProtoReflect(), errand)
	if err != nil {
		t.Fatal(err)
	}
	own, is := permit.Errand()
	if !is || own != errand || permit.Caller() != "ann" || permit.Flow() != (pace.Flow{Key: "ann", Class: pace.FanOut}) || permit.Freshness() != (admission.Freshness{}) {
		t.Errorf("permit %+v, flow %+v", permit, permit.Flow())
	}
	if account.Admission.Verdict != audit.DecisionOwn || account.Admission.Request == nil || account.Admission.Identity.Caller != "ann" ||
		account.Lease != (accounting.Lease{ID: "lease_1", Role: "search", Holder: "pod", Cause: "renewed"}) {
		t.Errorf("account %+v", account)
	}
	read, err := a.Permit(ctx, catalogtest.Method(t, listKeys), (&adminv1.ListProjectApiKeysRequest{ProjectId: "proj_1"}).ProtoReflect(), errand)
	if err != nil || !read.Freshness().Reload() {
		t.Errorf("a read accepts a stored answer: %+v, %v", read, err)
	}
}

// TestPermitsOfCallersHaveNoErrand.
func TestPermitsOfCallersHaveNoErrand(t *testing.T) {
	t.Parallel()
	permit := admissiontest.Permit(t, catalogtest.Method(t, listKeys), &adminv1.ListProjectApiKeysRequest{ProjectId: "proj_1"})
	if errand, own := permit.Errand(); own || errand != (admission.Errand{}) {
		t.Errorf("%+v", errand)
	}
}

// TestAgentRefuses: another method, a request that a caller could not make either, and a
// call in the account of a caller's have no permit.
func TestAgentRefuses(t *testing.T) {
	t.Parallel()
	a := newAgent(t)
	ctx, account := accounting.Own(t.Context(), "leases", "")
	update := catalogtest.Method(t, updateKey)
	unknown := &adminv1.UpdateProjectApiKeyRequest{ProjectId: "proj_1", ApiKeyId: "key_1"}
	unknown.ProtoReflect().SetUnknown([]byte{0xf8, 0x7f, 1})
	for name, test := range map[string]struct {
		ctx     context.Context
		m       *catalog.Method
		request proto.Message
		reason  string
	}{
		"another method":     {ctx, catalogtest.Method(t, "ProjectApiKeyService/DeleteProjectApiKey"), &adminv1.DeleteProjectApiKeyRequest{ProjectId: "proj_1", ApiKeyId: "key_1"}, ""},
		"out of its path":    {ctx, update, &adminv1.UpdateProjectApiKeyRequest{ProjectId: "..", ApiKeyId: "key_1"}, ""},
		"a hidden character": {ctx, update, &adminv1.UpdateProjectApiKeyRequest{ProjectId: "proj_1", ApiKeyId: "key_1", Scopes: &adminv1.ApiKeyScopes{Values: []string{"a\u202eb"}}}, rpcerror.ReasonInvalidRequest},
		"an unknown field":   {ctx, update, unknown, rpcerror.ReasonInvalidRequest},
		"every scope, unsaid": {ctx, update, &adminv1.UpdateProjectApiKeyRequest{ProjectId: "proj_1", ApiKeyId: "key_1",
			Scopes: &adminv1.ApiKeyScopes{}}, rpcerror.ReasonInvalidRequest},
		"a caller's account": {t.Context(), update, &adminv1.UpdateProjectApiKeyRequest{ProjectId: "proj_1", ApiKeyId: "key_1", ExpiresInSeconds: new(int64(60))}, ""},
	} {
		permit, err := a.Permit(test.ctx, test.m, test.request.ProtoReflect(), admission.Errand{})
		if err == nil || permit != nil || reasonOf(err) != test.reason {
			t.Errorf("%s: %v, %v", name, permit, err)
		}
	}
	if account.Admission.Verdict != audit.DecisionInvalid {
		t.Errorf("the account says %q", account.Admission.Verdict)
	}
}

// TestAgentsMirrorTheUpstream: there is no Agent for anything else.
func TestAgentsMirrorTheUpstream(t *testing.T) {
	t.Parallel()
	c, _ := controller(t, admissiontest.RootPolicy)
	local, ok := catalogtest.Gateway(t).Lookup("/" + string(catalog.LeasePackage) + ".LeaseService/GetLease")
	if !ok {
		t.Fatal("the catalog has no GetLease")
	}
	other := *catalogtest.Method(t, listKeys)
	for name, methods := range map[string][]*catalog.Method{"none": nil, "nil": {nil}, "a local one": {local}, "of another catalog": {&other}} {
		if a, err := c.Agent(methods...); err == nil || a != nil {
			t.Errorf("%s: there is one", name)
		}
	}
}

// TestOwnWritesEndWithTheirContext alone: what the gateway sends for itself in the course
// of a call is not cut off because the caller of that call is gone.
func TestOwnWritesEndWithTheirContext(t *testing.T) {
	t.Parallel()
	c, _ := controller(t, admissiontest.RootPolicy)
	a, err := c.Agent(catalogtest.Method(t, updateKey))
	if err != nil {
		t.Fatal(err)
	}
	if err := admissiontest.Serve(t.Context(), c, "root", func(ctx context.Context) error {
		request := &adminv1.UpdateProjectApiKeyRequest{ProjectId: "proj_1", ApiKeyId: "key_1", ExpiresInSeconds: new(int64(60))}
		callers, err := c.Authorize(ctx, catalogtest.Method(t, updateKey), request.ProtoReflect())
		if err != nil {
			return err
		}
		inner, _ := accounting.Own(context.WithoutCancel(ctx), "leases", "")
		own, err := a.Permit(inner, catalogtest.Method(t, updateKey), request.ProtoReflect(), admission.Errand{})
		if err != nil {
			return err
		}
		for name, test := range map[string]struct {
			permit admission.Permit
			same   bool
		}{"of a caller's": {callers, false}, "own": {own, true}} {
			sending, end := admission.Sending(inner, test.permit)
			if (sending == inner) != test.same {
				t.Errorf("%s: it has the context of the call: %t", name, sending == inner)
			}
			end()
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
