package service_test

import (
	"context"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/durationpb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1/controlv1connect"
	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1/leasev1connect"
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/broker"
	"github.com/admin-gateway/admin-gateway/lease/fileledger"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/health"
	"github.com/admin-gateway/admin-gateway/service/holds"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// holdPolicy has an operator, and two callers that may do everything.
const holdPolicy = `
callers:
  - name: operator
    authenticate: [{token_sha256: $operator}]
    grants: [{permissions: ["holds.*"]}]
    limits: $free
  - name: ann
    authenticate: [{token_sha256: $ann}]
    grants: [{permissions: ["*"]}]
    limits: $free
  - name: bob
    authenticate: [{token_sha256: $bob}]
    grants: [{permissions: ["*"]}]
    limits: $free
`

// newFileLedger is a ledger in a file of its own.
func newFileLedger(tb testing.TB) lease.Ledger {
	tb.Helper()
	ledger, err := fileledger.Open(fileledger.Options{Path: filepath.Join(tb.TempDir(), "ledger.db")})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = ledger.Close() })
	return ledger
}

// withHolds keeps holds in a ledger; without one, in a file of its own.
func withHolds(tb testing.TB, given ...lease.Ledger) gatewaytest.Option {
	tb.Helper()
	if len(given) == 0 {
		given = []lease.Ledger{newFileLedger(tb)}
	}
	return gatewaytest.WithOptions(func(o *service.Options) {
		made, err := holds.New(holds.Options{Ledger: given[0], Callers: o.Callers})
		if err != nil {
			tb.Fatal(err)
		}
		o.Holds = made
	})
}

// holdsOf is the client of HoldService of a caller.
func holdsOf(g *gatewaytest.Gateway, caller string) controlv1connect.HoldServiceClient {
	return controlv1connect.NewHoldServiceClient(g.Client(caller))
}

// hold holds ann, as the operator.
func hold(t *testing.T, g *gatewaytest.Gateway) {
	t.Helper()
	if _, err := holdsOf(g, "operator").CreateHold(t.Context(), &controlv1.CreateHoldRequest{Caller: "ann", Reason: "it leaks"}); err != nil {
		t.Fatal(err)
	}
}

// release releases her.
func release(t *testing.T, g *gatewaytest.Gateway) {
	t.Helper()
	if _, err := holdsOf(g, "operator").ReleaseHold(t.Context(), &controlv1.ReleaseHoldRequest{Caller: "ann"}); err != nil {
		t.Fatal(err)
	}
}

// wantReason wants an error with a code and a reason.
func wantReason(t *testing.T, when string, err error, code connect.Code, want string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error, want %s", when, want)
		return
	}
	if got := reason(t, err); connect.CodeOf(err) != code || got != want {
		t.Errorf("%s: %v (%s), want %s", when, err, got, want)
	}
}

// TestAHeldCallerReachesNothing, at any door, whatever the policy says; it cannot release
// itself. Others call on, and so does it once it is released.
func TestAHeldCallerReachesNothing(t *testing.T) {
	t.Parallel()
	gateway := gatewaytest.New(t, gatewaytest.WithPolicy(holdPolicy), withHolds(t), gatewaytest.WithTelemetry())
	read := func(caller string, door connect.Transport) error {
		_, err := adminv1connect.NewProjectServiceClient(gatewaytest.As(caller, door)).GetProject(t.Context(), &adminv1.GetProjectRequest{ProjectId: "1"})
		return err
	}
	for _, d := range gatewaytest.Doors() {
		hold(t, gateway)
		before := gateway.Asked.Load()
		wantReason(t, d.Name, read("ann", gateway.Transport(d)), connect.CodePermissionDenied, rpcerror.ReasonCallerHeld)
		if gateway.Asked.Load() != before {
			t.Errorf("%s: the upstream was asked for a caller that is held", d.Name)
		}
		if err := read("bob", gateway.Transport(d)); err != nil {
			t.Errorf("%s: another caller: %v", d.Name, err)
		}
		release(t, gateway)
		if err := read("ann", gateway.Transport(d)); err != nil {
			t.Errorf("%s: after the release: %v", d.Name, err)
		}
	}
	hold(t, gateway)
	_, err := holdsOf(gateway, "ann").ReleaseHold(t.Context(), &controlv1.ReleaseHoldRequest{Caller: "ann"})
	wantReason(t, "it releases itself", err, connect.CodePermissionDenied, rpcerror.ReasonCallerHeld)
	all := gateway.Records.Calls()
	if last := all[len(all)-1]; last.Caller != "ann" || last.Decision != audit.DecisionDenied || last.Reason != "held" || last.Code != "permission_denied" {
		t.Errorf("its record: %+v", last)
	}
}

// TestHoldsAreRecorded: who held whom, for how long and why, and who released it.
func TestHoldsAreRecorded(t *testing.T) {
	t.Parallel()
	gateway := gatewaytest.New(t, gatewaytest.WithPolicy(holdPolicy), withHolds(t))
	if _, err := holdsOf(gateway, "operator").CreateHold(t.Context(), &controlv1.CreateHoldRequest{Caller: "ann", Reason: "it leaks", Lifetime: durationpb.New(2 * time.Hour)}); err != nil {
		t.Fatal(err)
	}
	release(t, gateway)
	calls := gateway.Records.Calls()
	values := map[string]string{}
	for _, d := range append(calls[0].Request, calls[1].Request...) {
		for _, v := range d.Values {
			values[calls[0].Caller+" "+d.Path] += v + ";"
		}
	}
	for path, want := range map[string]string{"operator caller": "ann;ann;", "operator lifetime": "2h0m0s;", "operator reason": "it leaks;"} {
		if values[path] != want {
			t.Errorf("%s: %q, want %q", path, values[path], want)
		}
	}
}

// TestWhoCanHoldWhom: nobody holds itself, or a name that nobody has; who lacks the
// permission holds nobody.
func TestWhoCanHoldWhom(t *testing.T) {
	t.Parallel()
	gateway := gatewaytest.New(t, gatewaytest.WithPolicy(holdPolicy+`
  - name: nobody
    authenticate: [{token_sha256: $nobody}]
    grants: [{permissions: ["*"], projects: [proj_1]}]
    limits: $free
`), withHolds(t))
	create := func(caller, whom string) error {
		_, err := holdsOf(gateway, caller).CreateHold(t.Context(), &controlv1.CreateHoldRequest{Caller: whom})
		return err
	}
	wantReason(t, "itself", create("operator", "operator"), connect.CodeInvalidArgument, rpcerror.ReasonInvalidRequest)
	wantReason(t, "a name of nobody", create("operator", "anne"), connect.CodeNotFound, rpcerror.ReasonCallerNotFound)
	wantReason(t, "without the permission", create("nobody", "ann"), connect.CodePermissionDenied, rpcerror.ReasonPermissionDenied)
	_, err := holdsOf(gateway, "nobody").ListHolds(t.Context(), &controlv1.ListHoldsRequest{})
	wantReason(t, "a list for a project", err, connect.CodePermissionDenied, rpcerror.ReasonPermissionDenied)
	_, err = holdsOf(gateway, "operator").ReleaseHold(t.Context(), &controlv1.ReleaseHoldRequest{Caller: "ann"})
	wantReason(t, "not held", err, connect.CodeNotFound, rpcerror.ReasonHoldNotFound)
	without := gatewaytest.New(t, gatewaytest.WithPolicy(holdPolicy))
	_, err = holdsOf(without, "operator").CreateHold(t.Context(), &controlv1.CreateHoldRequest{Caller: "ann"})
	wantReason(t, "without a ledger", err, connect.CodeFailedPrecondition, rpcerror.ReasonHoldsDisabled)
}

// TestStreamsOfAHeldCallerEnd at every door, and those of others go on.
func TestStreamsOfAHeldCallerEnd(t *testing.T) {
	t.Parallel()
	up := newSilence()
	gateway := gatewaytest.New(t, gatewaytest.WithUpstream(up), gatewaytest.WithPolicy(holdPolicy), withHolds(t))
	others := keys(t, "bob", gateway.InProcess())
	up.await(t)
	theirs := make(chan error, 1)
	go func() { theirs <- untilItEnds(others) }()
	for name, door := range gateway.PlainDoors() {
		stream := keys(t, "ann", door)
		ended := make(chan error, 1)
		go func() { ended <- untilItEnds(stream) }()
		select {
		case <-up.asked:
		case err := <-ended:
			t.Fatalf("%s: ended with %v before the upstream was asked", name, err)
		}
		hold(t, gateway)
		wantReason(t, name, <-ended, connect.CodePermissionDenied, rpcerror.ReasonCallerHeld)
		release(t, gateway)
		_ = stream.Close()
	}
	select {
	case err := <-theirs:
		t.Errorf("the stream of another caller ended with %v", err)
	default:
	}
}

// TestAWriteThatWasSentIsAnsweredToAHeldCaller: what became of it is said.
func TestAWriteThatWasSentIsAnsweredToAHeldCaller(t *testing.T) {
	t.Parallel()
	arrived, goOn := make(chan struct{}), make(chan struct{})
	gateway := gatewaytest.New(t, gatewaytest.WithPolicy(holdPolicy), withHolds(t), gatewaytest.WithUpstream(gatewaytest.UpstreamFunc(func(ctx context.Context) (*upstream.Reply, error) {
		close(arrived)
		select {
		case <-goOn:
			return gatewaytest.AnswerProject(ctx)
		case <-ctx.Done():
			return nil, &upstream.Error{Kind: upstream.OutcomeUnknown}
		}
	})))
	ended := make(chan error, 1)
	go func() {
		_, err := adminv1connect.NewProjectServiceClient(gateway.Client("ann")).CreateProject(t.Context(), &adminv1.CreateProjectRequest{Name: "one"})
		ended <- err
	}()
	<-arrived
	hold(t, gateway) // It has looked at all calls when it returns.
	close(goOn)
	if err := <-ended; err != nil {
		t.Errorf("the write was made, and its caller is told %v", err)
	}
}

// TestHealthChecksOfAHeldCaller are answered: they have no caller.
func TestHealthChecksOfAHeldCaller(t *testing.T) {
	t.Parallel()
	state := health.New()
	state.Set(true)
	gateway := gatewaytest.New(t, gatewaytest.WithPolicy(holdPolicy), withHolds(t), gatewaytest.WithOptions(func(o *service.Options) { o.Health = state }))
	hold(t, gateway)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+admissiontest.TokenOf("ann"))
	answer, err := healthv1.NewHealthClient(gateway.FastGRPC().Conn).Check(ctx, &healthv1.HealthCheckRequest{})
	if err != nil || answer.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Errorf("%v, %v", answer, err)
	}
}

// TestLeasesOfAHeldCaller are not renewed, and end when somebody ends them.
func TestLeasesOfAHeldCaller(t *testing.T) {
	t.Parallel()
	box := gatewaytest.NewSandbox(t, sandbox.Options{})
	found, err := box.ProjectKeys("")
	if err != nil {
		t.Fatal(err)
	}
	ledger, err := fileledger.Open(fileledger.Options{Path: filepath.Join(t.TempDir(), "leases.db")})
	if err != nil {
		t.Fatal(err)
	}
	gateway := gatewaytest.New(t, gatewaytest.WithSandbox(box), gatewaytest.WithPolicy(leasePolicy(found[0].ProjectID)+`
  - name: operator
    authenticate: [{token_sha256: $operator}]
    grants: [{permissions: ["*"], roles: ["*"]}]
    limits: $free
`), withHolds(t, ledger), gatewaytest.WithLeases(broker.KeeperOptions{Tick: 50 * time.Millisecond}, ledger))
	made, err := leasev1connect.NewLeaseServiceClient(gateway.Client("ann")).CreateLease(t.Context(), &leasev1.CreateLeaseRequest{Role: "search", RequestId: "1"})
	if err != nil {
		t.Fatal(err)
	}
	id, operator := made.GetLease().GetId(), leasev1connect.NewLeaseServiceClient(gateway.Client("operator"))
	hold(t, gateway)
	_, err = leasev1connect.NewLeaseServiceClient(gateway.Client("ann")).RenewLease(t.Context(), &leasev1.RenewLeaseRequest{LeaseId: id})
	wantReason(t, "renewed", err, connect.CodePermissionDenied, rpcerror.ReasonCallerHeld)
	if _, err := operator.RevokeLease(t.Context(), &leasev1.RevokeLeaseRequest{LeaseId: id, Wait: true}); err != nil {
		t.Errorf("revoked: %v", err)
	}
	if box.KeyAlive(made.GetSecret()) {
		t.Error("the key lives on")
	}
}

// TestVaultRefusesAHeldCaller: for a lease and at a login, with a JWT as with the token of
// a login before.
func TestVaultRefusesAHeldCaller(t *testing.T) {
	t.Parallel()
	r := newVaultRig(t, withHolds(t))
	r.by(t, "ann", http.MethodGet, "openai/creds/search", "").want(t, "before", http.StatusOK)
	token := r.login(t, time.Hour).want(t, "a login before", http.StatusOK).Auth.ClientToken
	for _, caller := range []string{"ann", "pod"} {
		if _, err := holdsOf(r.Gateway, "root").CreateHold(t.Context(), &controlv1.CreateHoldRequest{Caller: caller}); err != nil {
			t.Fatal(err)
		}
	}
	r.by(t, "ann", http.MethodGet, "openai/creds/search", "").want(t, "a lease", http.StatusForbidden, "holds the caller")
	r.login(t, time.Hour).want(t, "a login", http.StatusForbidden)
	r.do(t, token, http.MethodGet, "openai/creds/search", "").want(t, "a lease with the token of a login", http.StatusForbidden, "holds the caller")
	r.by(t, "bob", http.MethodGet, "openai/creds/search", "").want(t, "another caller", http.StatusOK)
}
