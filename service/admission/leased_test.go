package admission_test

import (
	"context"
	"errors"
	"testing"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/authn"
	"github.com/admin-gateway/admin-gateway/service/authz"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// guardedPolicy has an administrator without a role, the owner of leases, one that may revoke all leases, and
// one that may revoke those of one role.
const guardedPolicy = `
roles:
  - {name: search, project: proj_1, service_account: search, scopes: [api.model.request], ttl: 1h, max_ttl: 24h}
  - {name: batch, project: proj_1, kind: account, all: true, ttl: 1m, max_ttl: 1h}
callers:
  - name: root
    authenticate: [{token_sha256: $root}]
    grants: [{permissions: ["*"]}]
    limits: $free
  - name: owner
    authenticate: [{token_sha256: $owner}]
    grants: [{permissions: ["*"]}, {permissions: [leases.revoke], roles: ["*"]}]
    limits: $free
  - name: oncall
    authenticate: [{token_sha256: $oncall}]
    grants: [{permissions: ["*"]}, {permissions: [leases.revoke, leases.revoke_any], roles: ["*"]}]
    limits: $free
  - name: batch
    authenticate: [{token_sha256: $batch}]
    grants: [{permissions: ["*"]}, {permissions: [leases.revoke, leases.revoke_any], roles: [batch]}]
    limits: $free
`

// held are leased things by id. It fails for the id "unknown".
type held map[string]authz.Lease

var errNoLedger = errors.New("the ledger does not answer")

func (h held) Leased(_ context.Context, _ string, thing catalog.Thing, id string) (authz.Lease, bool, error) {
	if id == "unknown" {
		return authz.Lease{}, false, errNoLedger
	}
	lease, ok := h[thing.String()+" "+id]
	return lease, ok, nil
}

func guarded(t *testing.T, leased admission.Leased) *admission.Controller {
	t.Helper()
	authenticator, err := authn.New(authn.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(authenticator.Close)
	validator, err := admission.NewValidator()
	if err != nil {
		t.Fatal(err)
	}
	methods := catalogtest.Gateway(t)
	c, err := admission.New(admission.Options{
		Catalog: methods, Callers: admissiontest.NewPolicy(t, methods, guardedPolicy), Authenticator: authenticator, Validator: validator, Leased: leased,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestLeasedThingsAreProtected: nobody writes on the key of a lease, nor on the account
// of a role, its owner included, but those who may revoke the leases of others of that
// role. Reads, and writes on everything else, go on.
func TestLeasedThingsAreProtected(t *testing.T) {
	t.Parallel()
	search := authz.Lease{Role: "search", Project: "proj_1", Caller: "owner"}
	c := guarded(t, held{"api_key key_1": search, "service_account sa_1": search, "api_key key_2": {Role: "gone", Project: "proj_1"}})
	leased := map[string]proto.Message{
		"ProjectApiKeyService/DeleteProjectApiKey":                                   &adminv1.DeleteProjectApiKeyRequest{ProjectId: "proj_1", ApiKeyId: "key_1"},
		"ProjectApiKeyService/UpdateProjectApiKey":                                   &adminv1.UpdateProjectApiKeyRequest{ProjectId: "proj_1", ApiKeyId: "key_1", ExpiresInSeconds: new(int64(60))},
		"ProjectServiceAccountService/DeleteProjectServiceAccount":                   &adminv1.DeleteProjectServiceAccountRequest{ProjectId: "proj_2", ServiceAccountId: "sa_1"},
		"ProjectServiceAccountService/CreateProjectServiceAccountApiKey":             &adminv1.CreateProjectServiceAccountApiKeyRequest{ProjectId: "proj_1", ServiceAccountId: "sa_1"},
		"ProjectUserRoleService/AssignProjectUserRole":                               &adminv1.AssignProjectUserRoleRequest{ProjectId: "proj_1", UserId: "sa_1", RoleId: "role_1"},
		"GroupUserService/AddGroupUser":                                              &adminv1.AddGroupUserRequest{GroupId: "group_1", UserId: "sa_1"},
		"WorkloadIdentityFederationRuleService/CreateWorkloadIdentityFederationRule": &adminv1.CreateWorkloadIdentityFederationRuleRequest{WorkloadIdentityProviderId: "wip_1", ProjectId: "proj_1", ServiceAccountId: "sa_1", AttributeMatchers: map[string]*adminv1.WorkloadIdentityAttributeValue{"sub": {Value: &adminv1.WorkloadIdentityAttributeValue_StringValue{StringValue: "x"}}}},
	}
	free := map[string]proto.Message{
		"ProjectApiKeyService/GetProjectApiKey":                    &adminv1.GetProjectApiKeyRequest{ProjectId: "proj_1", ApiKeyId: "key_1"},
		"ProjectServiceAccountService/DeleteProjectServiceAccount": &adminv1.DeleteProjectServiceAccountRequest{ProjectId: "proj_1", ServiceAccountId: "key_1"},
		"ProjectService/UpdateProject":                             &adminv1.UpdateProjectRequest{ProjectId: "proj_1", Name: new("one")},
	}
	ask := func(t *testing.T, caller, name string, request proto.Message) (permit admission.Permit, account accounting.Admission, err error) {
		t.Helper()
		err = admissiontest.Serve(t.Context(), c, caller, func(ctx context.Context) (err error) {
			permit, err = c.Authorize(ctx, catalogtest.Method(t, name), proto.Clone(request).ProtoReflect())
			account = accounting.From(ctx).Admission
			return err
		})
		return permit, account, err
	}
	for name, request := range leased {
		for caller, allowed := range map[string]bool{"root": false, "owner": false, "batch": false, "oncall": true} {
			permit, account, err := ask(t, caller, name, request)
			if allowed {
				if err != nil || permit == nil {
					t.Errorf("%s: %s, who may revoke it, gets %v", name, caller, err)
				}
				continue
			}
			e, ok := errors.AsType[*rpcerror.Error](err)
			if !ok || permit != nil || e.Reason != rpcerror.ReasonLeased || e.Code != connect.CodePermissionDenied || e.Metadata["role"] != "search" {
				t.Errorf("%s: %s gets %v, %v", name, caller, permit, err)
			}
			if account.Verdict != audit.DecisionDenied || account.Reason != "leased" || account.Request == nil {
				t.Errorf("%s: the account says %q, %q", name, account.Verdict, account.Reason)
			}
		}
	}
	for name, request := range free {
		if _, _, err := ask(t, "root", name, request); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	const deleteKey = "ProjectApiKeyService/DeleteProjectApiKey"
	for caller, want := range map[string]string{"batch": rpcerror.ReasonLeased, "oncall": ""} {
		if _, _, err := ask(t, caller, deleteKey, &adminv1.DeleteProjectApiKeyRequest{ProjectId: "proj_1", ApiKeyId: "key_2"}); reasonOf(err) != want || want == "" && err != nil {
			t.Errorf("a role that is gone, %s: %v", caller, err)
		}
	}
	// Whoever may do everything is told that it is not known, too.
	for _, caller := range []string{"root", "oncall"} {
		permit, account, err := ask(t, caller, deleteKey, &adminv1.DeleteProjectApiKeyRequest{ProjectId: "proj_1", ApiKeyId: "unknown"})
		e, ok := errors.AsType[*rpcerror.Error](err)
		if !ok || permit != nil || e.Reason != rpcerror.ReasonLeasesUnavailable || e.Code != connect.CodeUnavailable || !errors.Is(e, errNoLedger) || account.Verdict != audit.DecisionInvalid {
			t.Errorf("%s, while the ledger does not answer: %v, %v, the account says %q", caller, permit, err, account.Verdict)
		}
	}
}

// TestTheAgentWritesOnWhatIsLeased: the gateway's own calls pass.
func TestTheAgentWritesOnWhatIsLeased(t *testing.T) {
	t.Parallel()
	c := guarded(t, held{"api_key key_1": {Role: "search", Project: "proj_1"}})
	m := catalogtest.Method(t, "ProjectApiKeyService/DeleteProjectApiKey")
	a, err := c.Agent(m)
	if err != nil {
		t.Fatal(err)
	}
	ctx, _ := accounting.Own(t.Context(), "leases", "")
	if _, err := a.Permit(ctx, m, (&adminv1.DeleteProjectApiKeyRequest{ProjectId: "proj_1", ApiKeyId: "key_1"}).ProtoReflect(), admission.Errand{}); err != nil {
		t.Error(err)
	}
}
