package admission_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

const leasingCaller = `
roles:
  - {name: search, project: proj_secret, service_account: search, scopes: [api.model.request], ttl: 1h, max_ttl: 24h}
  - {name: batch, project: proj_secret, kind: account, all: true, ttl: 1m, max_ttl: 1h}
callers:
  - name: ann
    authenticate: [{token_sha256: $ann}]
    grants: [{permissions: [leases.create], roles: [search]}]
    limits: $free
`

// TestRefusedRoles: a refusal names the role that the caller named, in the same words
// whether there is such a role, and nothing else of it.
func TestRefusedRoles(t *testing.T) {
	t.Parallel()
	c, _ := controller(t, leasingCaller)
	m, ok := catalogtest.Gateway(t).Lookup("/" + string(catalog.LeasePackage) + ".LeaseService/CreateLease")
	if !ok {
		t.Fatal("the catalog has no CreateLease")
	}
	if err := admissiontest.Serve(t.Context(), c, "ann", func(ctx context.Context) error {
		ask := func(role, holder string) error {
			_, err := c.Authorize(ctx, m, (&leasev1.CreateLeaseRequest{Role: role, Holder: holder, RequestId: "r"}).ProtoReflect())
			return err
		}
		for _, role := range []string{"batch", "none"} {
			refused, ok := errors.AsType[*rpcerror.Error](ask(role, ""))
			want := "the caller lacks the permission leases.create for the role " + role
			if !ok || refused.Reason != rpcerror.ReasonPermissionDenied || refused.Message != want || refused.Metadata["role"] != role || len(refused.Metadata) != 2 {
				t.Errorf("%s: %+v", role, refused)
			}
			if reason := accounting.From(ctx).Admission.Reason; reason != "role_out_of_scope" {
				t.Errorf("%s: the account says %s", role, reason)
			}
		}
		if err := ask("search", "pod"); err == nil || !strings.Contains(err.Error(), "leases.delegate") {
			t.Errorf("on behalf of another: %v", err)
		}
		return ask("search", "")
	}); err != nil {
		t.Error(err)
	}
}
