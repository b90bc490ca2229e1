package service_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/types/known/durationpb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1/leasev1connect"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/lease/broker"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// leasePolicy has two teams with a role each, and operators.
func leasePolicy(project string) string {
	return strings.ReplaceAll(`
roles:
  - {name: search, project: PROJECT, service_account: search, scopes: [api.model.request], ttl: 1h, max_ttl: 24h}
  - {name: batch, project: PROJECT, kind: account, scopes: [api.model.request], ttl: 1h, max_ttl: 24h}
  - {name: shared, project: PROJECT, service_account: shared, scopes: [api.model.request], ttl: 1h, max_ttl: 24h, share: 5}
  - {name: workers, project: PROJECT, service_account: workers, scopes: [api.model.request], ttl: 1h, max_ttl: 24h, share: 50}
  - {name: site, project: PROJECT, service_account: site, scopes: [api.model.request], ttl: 1h, max_ttl: 24h, static: {rotation_period: 6h, overlap: 1h}}
callers:
  - name: root
    authenticate: [{token_sha256: $root}]
    grants: [{permissions: ["*"], roles: ["*"]}]
    limits: $free
    leases: {max_live: 1000, mints_per_hour: 1000}
  - name: ann
    authenticate: [{token_sha256: $ann}]
    grants:
      - {permissions: [leases.create, leases.renew, leases.revoke, leases.read, leases.read_static], roles: [search, batch, shared, site]}
      - {permissions: [projects.api_keys.*, projects.service_accounts.*], projects: [PROJECT]}
    limits: $free
    leases: {max_live: 20, mints_per_hour: 100}
  - name: bob
    authenticate: [{token_sha256: $bob}]
    grants: [{permissions: [leases.create, leases.renew, leases.revoke, leases.read], roles: [search]}]
    limits: $free
    leases: {max_live: 2, mints_per_hour: 100}
`, "PROJECT", project)
}

type leaseRig struct {
	*gatewaytest.Gateway

	project string
	sandbox *gatewaytest.Sandbox
}

func newLeaseRig(t *testing.T) *leaseRig {
	t.Helper()
	box := gatewaytest.NewSandbox(t, sandbox.Options{})
	keys, err := box.ProjectKeys("")
	if err != nil {
		t.Fatal(err)
	}
	project := keys[0].ProjectID
	return &leaseRig{gatewaytest.New(t, gatewaytest.WithSandbox(box), gatewaytest.WithPolicy(leasePolicy(project)),
		gatewaytest.WithLeases(broker.KeeperOptions{Tick: 50 * time.Millisecond})), project, box}
}

func (r *leaseRig) as(caller string) leasev1connect.LeaseServiceClient {
	return leasev1connect.NewLeaseServiceClient(r.Client(caller))
}

// marked are the keys of the sandbox that the gateway has made for a role and that work.
func (r *leaseRig) marked(t *testing.T, role string) (ids []string) {
	t.Helper()
	keys, err := r.sandbox.ProjectKeys("")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if strings.HasPrefix(key.Name, "agw."+role+".") && key.Alive {
			ids = append(ids, key.ID)
		}
	}
	return ids
}

func (r *leaseRig) lease(t *testing.T, caller, role, request string) *leasev1.CreateLeaseResponse {
	t.Helper()
	answer, err := r.as(caller).CreateLease(t.Context(), &leasev1.CreateLeaseRequest{Role: role, RequestId: request})
	if err != nil {
		t.Fatalf("a lease of %s for %s: %v", role, caller, err)
	}
	return answer
}

// TestLeaseLives: of every kind of role, through the whole gateway: the key works, ends
// upstream with the lease, is renewed, rotated and deleted.
func TestLeaseLives(t *testing.T) {
	t.Parallel()
	r := newLeaseRig(t)
	ctx := t.Context()
	for _, role := range []string{"search", "batch", "shared"} {
		made := r.lease(t, "ann", role, "1")
		l := made.GetLease()
		key, ok := r.sandbox.Key(made.GetSecret())
		if !ok || !key.Alive || key.ExpiresAt == nil || !slices.Equal(key.Scopes, []string{"api.model.request"}) || key.ID != l.GetApiKeyId() || key.AccountID != l.GetServiceAccountId() || key.Name != l.GetName() {
			t.Fatalf("%s: %+v, %v", role, key, l)
		}
		if late := time.Unix(*key.ExpiresAt, 0).Sub(l.GetExpiresAt().AsTime()); late < 0 || late > 2*time.Minute {
			t.Errorf("%s: the key ends %v after the lease", role, late)
		}
		again := r.lease(t, "ann", role, "1")
		if !again.GetRepeated() || again.GetSecret() != made.GetSecret() || again.GetLease().GetId() != l.GetId() {
			t.Errorf("%s again: %v", role, again.GetLease())
		}
		renewed, err := r.as("ann").RenewLease(ctx, &leasev1.RenewLeaseRequest{LeaseId: l.GetId(), Ttl: durationpb.New(2 * time.Hour)})
		if err != nil || renewed.GetLease().GetState() != leasev1.LeaseState_LEASE_STATE_ACTIVE || !renewed.GetLease().GetExpiresAt().AsTime().After(l.GetExpiresAt().AsTime()) {
			t.Fatalf("%s renewed: %v, %v", role, renewed, err)
		}
		if key, _ := r.sandbox.Key(made.GetSecret()); time.Unix(*key.ExpiresAt, 0).Before(renewed.GetLease().GetExpiresAt().AsTime()) {
			t.Errorf("%s: the key ends before the lease", role)
		}
		if again := r.lease(t, "ann", role, "1"); again.GetSecret() != "" || !again.GetRepeated() {
			t.Errorf("%s: an acknowledged secret comes again", role)
		}
		rotated, err := r.as("ann").RotateLease(ctx, &leasev1.RotateLeaseRequest{LeaseId: l.GetId(), RequestId: "r"})
		if err != nil || rotated.GetSecret() == made.GetSecret() || !r.sandbox.KeyAlive(rotated.GetSecret()) {
			t.Fatalf("%s rotated: %v, %v", role, rotated.GetLease(), err)
		}
		revoked, err := r.as("ann").RevokeLease(ctx, &leasev1.RevokeLeaseRequest{LeaseId: l.GetId(), Wait: true, Urgent: true})
		if err != nil || revoked.GetLease().GetState() != leasev1.LeaseState_LEASE_STATE_REVOKED || revoked.GetLease().GetRevokedAt() == nil || r.sandbox.KeyAlive(rotated.GetSecret()) {
			t.Fatalf("%s revoked: %v, %v", role, revoked.GetLease(), err)
		}
		if _, err := r.as("ann").RenewLease(ctx, &leasev1.RenewLeaseRequest{LeaseId: l.GetId()}); reason(t, err) != rpcerror.ReasonLeaseOver {
			t.Errorf("%s: renewed after its end: %v", role, err)
		}
	}
}

// TestLeasesOfOthers: a caller cannot read, renew, rotate or revoke the lease of another,
// nor learn that there is one: the answers are those for a lease that does not exist.
func TestLeasesOfOthers(t *testing.T) {
	t.Parallel()
	r := newLeaseRig(t)
	ctx := t.Context()
	made := r.lease(t, "ann", "search", "1")
	bobs := r.lease(t, "bob", "search", "1")
	if bobs.GetLease().GetId() == made.GetLease().GetId() || bobs.GetSecret() == made.GetSecret() {
		t.Fatal("two callers have one lease")
	}
	const none = "00000000000000000000000000"
	for name, call := range map[string]func(id string) error{
		"get": func(id string) error {
			_, err := r.as("bob").GetLease(ctx, &leasev1.GetLeaseRequest{LeaseId: id})
			return err
		},
		"acknowledge": func(id string) error {
			_, err := r.as("bob").AcknowledgeLease(ctx, &leasev1.AcknowledgeLeaseRequest{LeaseId: id})
			return err
		},
		"renew": func(id string) error {
			_, err := r.as("bob").RenewLease(ctx, &leasev1.RenewLeaseRequest{LeaseId: id})
			return err
		},
		"rotate": func(id string) error {
			_, err := r.as("bob").RotateLease(ctx, &leasev1.RotateLeaseRequest{LeaseId: id, RequestId: "x"})
			return err
		},
		"revoke": func(id string) error {
			_, err := r.as("bob").RevokeLease(ctx, &leasev1.RevokeLeaseRequest{LeaseId: id, Urgent: true})
			return err
		},
	} {
		others, nobodys := call(made.GetLease().GetId()), call(none)
		if reason(t, others) != rpcerror.ReasonLeaseNotFound || others.Error() != nobodys.Error() {
			t.Errorf("%s: %v, and of no lease: %v", name, others, nobodys)
		}
		// The row of the credential is no lease of anybody's.
		if credential := call(credentialOf(t, made.GetLease())); reason(t, credential) != rpcerror.ReasonLeaseNotFound {
			t.Errorf("%s of a credential: %v", name, credential)
		}
	}
	for caller, want := range map[string]int{"bob": 1, "ann": 1, "root": 2} {
		list, err := r.as(caller).ListLeases(ctx, &leasev1.ListLeasesRequest{})
		if err != nil || len(list.GetLeases()) != want {
			t.Errorf("%s lists %d: %v", caller, len(list.GetLeases()), err)
		}
	}
	if list, err := r.as("bob").ListLeases(ctx, &leasev1.ListLeasesRequest{Caller: "ann"}); err != nil || len(list.GetLeases()) != 0 {
		t.Errorf("bob lists ann's: %v, %v", list, err)
	}
	stream, err := r.as("bob").RevokeLeases(ctx, &leasev1.RevokeLeasesRequest{Role: "search"})
	if err != nil {
		t.Fatal(err)
	}
	var end *leasev1.LeaseEnd
	for {
		m, err := stream.Receive()
		if err != nil {
			break
		}
		if m.GetEnd() != nil {
			end = m.GetEnd()
		}
	}
	if end.GetToRevoke() != 1 || end.GetComplete() == nil || !r.sandbox.KeyAlive(made.GetSecret()) {
		t.Errorf("bob revokes all: %v, ann's key alive: %v", end, r.sandbox.KeyAlive(made.GetSecret()))
	}
	if got, err := r.as("root").RevokeLease(ctx, &leasev1.RevokeLeaseRequest{LeaseId: made.GetLease().GetId(), Wait: true}); err != nil || got.GetLease().GetCause() != leasev1.LeaseCause_LEASE_CAUSE_REVOKED_BY_OTHER {
		t.Errorf("root revokes ann's: %v, %v", got, err)
	}
}

// credentialOf is the id in the mark of a lease's key.
func credentialOf(t *testing.T, l *leasev1.Lease) string {
	t.Helper()
	parts := strings.Split(l.GetName(), ".")
	if len(parts) != 4 {
		t.Fatalf("mark %q", l.GetName())
	}
	return parts[2]
}

// TestLeasedIsProtected: whoever may write the keys of the project may not write those
// that are leased, nor the accounts of roles, and sees no secret of them.
func TestLeasedIsProtected(t *testing.T) {
	t.Parallel()
	r := newLeaseRig(t)
	ctx := t.Context()
	for _, role := range []string{"search", "batch", "shared"} {
		made := r.lease(t, "ann", role, "1")
		l := made.GetLease()
		keys, accounts := adminv1connect.NewProjectApiKeyServiceClient(r.Client("ann")), adminv1connect.NewProjectServiceAccountServiceClient(r.Client("ann"))
		for name, call := range map[string]func() error{
			"delete a key": func() error {
				_, err := keys.DeleteProjectApiKey(ctx, &adminv1.DeleteProjectApiKeyRequest{ProjectId: r.project, ApiKeyId: l.GetApiKeyId()})
				return err
			},
			"prolong a key": func() error {
				_, err := keys.UpdateProjectApiKey(ctx, &adminv1.UpdateProjectApiKeyRequest{ProjectId: r.project, ApiKeyId: l.GetApiKeyId(), ExpiresInSeconds: new(int64(1000))})
				return err
			},
			"delete an account": func() error {
				_, err := accounts.DeleteProjectServiceAccount(ctx, &adminv1.DeleteProjectServiceAccountRequest{ProjectId: r.project, ServiceAccountId: l.GetServiceAccountId()})
				return err
			},
			"make a key": func() error {
				_, err := accounts.CreateProjectServiceAccountApiKey(ctx, &adminv1.CreateProjectServiceAccountApiKeyRequest{ProjectId: r.project, ServiceAccountId: l.GetServiceAccountId()})
				return err
			},
		} {
			if err := call(); reason(t, err) != rpcerror.ReasonLeased || connect.CodeOf(err) != connect.CodePermissionDenied {
				t.Errorf("%s of %s: %v", name, role, err)
			}
		}
		if !r.sandbox.KeyAlive(made.GetSecret()) {
			t.Errorf("the key of %s is gone", role)
		}
		got, err := keys.GetProjectApiKey(ctx, &adminv1.GetProjectApiKeyRequest{ProjectId: r.project, ApiKeyId: l.GetApiKeyId()})
		if err != nil || strings.Contains(fmt.Sprint(got), made.GetSecret()) {
			t.Errorf("%s is read as %v, %v", role, got, err)
		}
		if _, err := adminv1connect.NewProjectApiKeyServiceClient(r.Client("root")).DeleteProjectApiKey(ctx, &adminv1.DeleteProjectApiKeyRequest{ProjectId: r.project, ApiKeyId: l.GetApiKeyId()}); err != nil {
			t.Errorf("root may revoke leases of others, and may not delete the key of %s: %v", role, err)
		}
	}
}

// TestLeaseIsRecorded: the records of the call and of the gateway's own calls name the
// lease, and the ids of what was made; no record has the secret.
func TestLeaseIsRecorded(t *testing.T) {
	t.Parallel()
	r := newLeaseRig(t)
	made := r.lease(t, "ann", "search", "1")
	var own, calls int
	for _, record := range r.Records.All() {
		text := fmt.Sprintf("%+v", record)
		if strings.Contains(text, made.GetSecret()) {
			t.Errorf("a record has the secret: %s", text)
		}
		if record.Event != audit.EventCall {
			continue
		}
		named := strings.Contains(text, made.GetLease().GetApiKeyId())
		switch {
		case strings.HasSuffix(record.Method, "CreateProjectServiceAccountApiKey") && record.Role != "site": // That one is made ahead.
			own++
			if !named || record.Caller != "ann" || record.Lease != made.GetLease().GetId() || record.Role != "search" || record.Agent != "leases" {
				t.Errorf("the gateway's own call: %s", text)
			}
		case strings.HasSuffix(record.Method, "CreateLease"):
			calls++
			if !named || record.Lease != made.GetLease().GetId() {
				t.Errorf("the call: %s", text)
			}
		}
	}
	if own != 1 || calls != 1 {
		t.Errorf("%d own records and %d of the call", own, calls)
	}
}

// TestLeaseLimits: those of the caller and of the role.
func TestLeaseLimits(t *testing.T) {
	t.Parallel()
	r := newLeaseRig(t)
	ctx := t.Context()
	r.lease(t, "bob", "search", "1")
	r.lease(t, "bob", "search", "2")
	if _, err := r.as("bob").CreateLease(ctx, &leasev1.CreateLeaseRequest{Role: "search", RequestId: "3"}); reason(t, err) != rpcerror.ReasonLeaseLimit || connect.CodeOf(err) != connect.CodeResourceExhausted {
		t.Errorf("a third lease: %v", err)
	}
	if _, err := r.as("bob").CreateLease(ctx, &leasev1.CreateLeaseRequest{Role: "batch", RequestId: "3"}); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("a role that bob has no grant for: %v", err)
	}
	if _, err := r.as("ann").CreateLease(ctx, &leasev1.CreateLeaseRequest{Role: "search", RequestId: "3", Holder: "pod-1"}); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("a holder without leases.delegate: %v", err)
	}
	if n := len(r.marked(t, "search")); n != 2 {
		t.Errorf("%d keys", n)
	}
}

// TestWatchLeases: what happens comes in order, to those who may read it.
func TestWatchLeases(t *testing.T) {
	t.Parallel()
	r := newLeaseRig(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stream, err := r.as("ann").WatchLeases(ctx, &leasev1.WatchLeasesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	first, err := stream.Receive()
	if err != nil || first.GetKind() != leasev1.WatchLeasesResponse_KIND_ALIVE {
		t.Fatalf("%v, %v", first, err)
	}
	r.lease(t, "bob", "search", "1")
	made := r.lease(t, "ann", "search", "1")
	for _, want := range []leasev1.WatchLeasesResponse_Kind{leasev1.WatchLeasesResponse_KIND_CREATED, leasev1.WatchLeasesResponse_KIND_ISSUED} {
		got, err := stream.Receive()
		if err != nil || got.GetKind() != want || got.GetLease().GetId() != made.GetLease().GetId() {
			t.Fatalf("%v, %v, want %v", got, err, want)
		}
	}
}

// TestReadStaticRole: whoever may read the role gets its key, which is there at once.
func TestReadStaticRole(t *testing.T) {
	t.Parallel()
	r := newLeaseRig(t)
	ctx := t.Context()
	first, err := r.as("ann").ReadStaticRole(ctx, &leasev1.ReadStaticRoleRequest{Role: "site"})
	if err != nil || !r.sandbox.KeyAlive(first.GetSecret()) || first.GetStaticRole().GetRotationPeriod().AsDuration() != 6*time.Hour {
		t.Fatalf("%v, %v", first, err)
	}
	rotated, err := r.as("root").RotateStaticRole(ctx, &leasev1.RotateStaticRoleRequest{Role: "site", RequestId: "1"})
	if err != nil || rotated.GetStaticRole().GetApiKeyId() == first.GetStaticRole().GetApiKeyId() || rotated.GetStaticRole().GetPreviousEndsAt() == nil {
		t.Fatalf("%v, %v", rotated, err)
	}
	second, err := r.as("ann").ReadStaticRole(ctx, &leasev1.ReadStaticRoleRequest{Role: "site"})
	if err != nil || second.GetSecret() == first.GetSecret() || !r.sandbox.KeyAlive(first.GetSecret()) {
		t.Errorf("%v, %v", second, err)
	}
	for caller, role := range map[string]string{"ann": "search", "bob": "site"} {
		if _, err := r.as(caller).ReadStaticRole(ctx, &leasev1.ReadStaticRoleRequest{Role: role}); err == nil {
			t.Errorf("%s reads %s", caller, role)
		}
	}
}

// TestLeasesDisabled: a gateway without a ledger says why it gives no leases.
func TestLeasesDisabled(t *testing.T) {
	t.Parallel()
	r := gatewaytest.New(t, gatewaytest.WithPolicy(leasePolicy("proj_a")))
	_, err := leasev1connect.NewLeaseServiceClient(r.Client("root")).CreateLease(t.Context(), &leasev1.CreateLeaseRequest{Role: "search", RequestId: "1"})
	if reason(t, err) != rpcerror.ReasonLeasesDisabled || connect.CodeOf(err) != connect.CodeFailedPrecondition {
		t.Errorf("%v", err)
	}
}

// TestWorkersStartAtOnce: 500 workers ask at once for a role whose keys 50 leases share.
// There are ten mints, and every worker has a key that works.
func TestWorkersStartAtOnce(t *testing.T) {
	t.Parallel()
	r := newLeaseRig(t)
	var all sync.WaitGroup
	secrets := make([]string, 500)
	for i := range secrets {
		all.Go(func() {
			answer, err := r.as("root").CreateLease(t.Context(), &leasev1.CreateLeaseRequest{Role: "workers", RequestId: fmt.Sprint(i)})
			if err != nil {
				t.Error(err)
				return
			}
			secrets[i] = answer.GetSecret()
		})
	}
	all.Wait()
	for i, secret := range secrets {
		if !r.sandbox.KeyAlive(secret) {
			t.Errorf("the key of worker %d does not work", i)
		}
	}
	if n := len(r.marked(t, "workers")); n > 10 {
		t.Errorf("%d mints", n)
	}
}
