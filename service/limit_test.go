package service_test

import (
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/types/known/durationpb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1/controlv1connect"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/limits"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// limitPolicy has an operator, and a caller that may make one call.
const limitPolicy = `
callers:
  - name: operator
    authenticate: [{token_sha256: $operator}]
    grants: [{permissions: ["limits.*", "policy.read"]}]
    limits: $free
  - name: ann
    authenticate: [{token_sha256: $ann}]
    grants: [{permissions: ["*"]}]
    limits: {requests_per_second: 0.0001, burst: 1}
`

// withLimits keeps other limits in a file.
func withLimits(tb testing.TB) gatewaytest.Option {
	tb.Helper()
	ledger := newFileLedger(tb)
	return gatewaytest.WithOptions(func(o *service.Options) {
		made, err := limits.New(limits.Options{Ledger: ledger, Callers: o.Callers})
		if err != nil {
			tb.Fatal(err)
		}
		o.Limits = made
	})
}

func limitsOf(g *gatewaytest.Gateway, caller string) controlv1connect.LimitServiceClient {
	return controlv1connect.NewLimitServiceClient(g.Client(caller))
}

// TestOtherLimits let a caller call that its policy stops, at every door, until they are
// taken back. The policy's are told beside them.
func TestOtherLimits(t *testing.T) {
	t.Parallel()
	gateway := gatewaytest.New(t, gatewaytest.WithPolicy(limitPolicy), withLimits(t))
	read := func(d gatewaytest.Door) error {
		_, err := adminv1connect.NewProjectServiceClient(gatewaytest.As("ann", gateway.Transport(d))).GetProject(t.Context(), &adminv1.GetProjectRequest{ProjectId: "1"})
		return err
	}
	doors := gatewaytest.Doors()
	if err := read(doors[0]); err != nil {
		t.Fatalf("the one call of the policy: %v", err)
	}
	for _, d := range doors {
		wantReason(t, d.Name, read(d), connect.CodeResourceExhausted, rpcerror.ReasonCallerLimit)
	}
	given, err := limitsOf(gateway, "operator").CreateLimitOverride(t.Context(), &controlv1.CreateLimitOverrideRequest{
		Caller: "ann", Lifetime: durationpb.New(time.Hour), Reason: "a migration",
		Limits: &controlv1.LimitValues{RequestsPerSecond: new(1e6), Burst: new(int32(1000))},
	})
	if err != nil {
		t.Fatal(err)
	}
	if o := given.GetLimitOverride(); o.GetCreatedBy() != "operator" || o.GetReason() != "a migration" || o.GetEndsAt().AsTime().Sub(o.GetCreatedAt().AsTime()) != time.Hour || o.GetLimits().Concurrent != nil {
		t.Errorf("given: %v", o)
	}
	for _, d := range doors {
		if err := read(d); err != nil {
			t.Errorf("%s: %v", d.Name, err)
		}
	}
	listed, err := limitsOf(gateway, "operator").ListLimitOverrides(t.Context(), &controlv1.ListLimitOverridesRequest{})
	if err != nil || len(listed.GetLimitOverrides()) != 1 || listed.GetReadAt() == nil {
		t.Errorf("listed: %v, %v", listed, err)
	}
	told, err := controlv1connect.NewPolicyServiceClient(gateway.Client("operator")).GetCaller(t.Context(), &controlv1.GetCallerRequest{Name: "ann"})
	if c := told.GetCaller(); err != nil || c.GetLimits().GetBurst() != 1 || c.GetLimitOverride().GetLimits().GetBurst() != 1000 {
		t.Errorf("told: %v, %v", c, err)
	}
	if _, err := limitsOf(gateway, "operator").DeleteLimitOverride(t.Context(), &controlv1.DeleteLimitOverrideRequest{Caller: "ann"}); err != nil {
		t.Fatal(err)
	}
	_ = read(doors[0]) // The burst may have one left.
	wantReason(t, "taken back", read(doors[0]), connect.CodeResourceExhausted, rpcerror.ReasonCallerLimit)
}

// TestOtherLimitsAreRefused where they are not allowed, say nothing, are about nobody, or
// have no end.
func TestOtherLimitsAreRefused(t *testing.T) {
	t.Parallel()
	gateway := gatewaytest.New(t, gatewaytest.WithPolicy(limitPolicy), withLimits(t))
	give := func(caller string, change func(*controlv1.CreateLimitOverrideRequest)) error {
		request := &controlv1.CreateLimitOverrideRequest{Caller: "ann", Lifetime: durationpb.New(time.Hour), Limits: &controlv1.LimitValues{Burst: new(int32(10))}}
		change(request)
		_, err := limitsOf(gateway, caller).CreateLimitOverride(t.Context(), request)
		return err
	}
	nobody := func(q *controlv1.CreateLimitOverrideRequest) { q.Caller = "nobody" }
	wantReason(t, "nobody", give("operator", nobody), connect.CodeNotFound, rpcerror.ReasonCallerNotFound)
	for field, change := range map[string]func(*controlv1.CreateLimitOverrideRequest){
		"limits":                     func(q *controlv1.CreateLimitOverrideRequest) { q.Limits = new(controlv1.LimitValues) },
		"limits.burst":               func(q *controlv1.CreateLimitOverrideRequest) { q.Limits.Burst = new(int32(0)) },
		"limits.requests_per_second": func(q *controlv1.CreateLimitOverrideRequest) { q.Limits.RequestsPerSecond = new(0.) },
		"lifetime":                   func(q *controlv1.CreateLimitOverrideRequest) { q.Lifetime = durationpb.New(32 * 24 * time.Hour) },
	} {
		wantViolation(t, field, give("operator", change), field)
	}
	wantViolation(t, "no end", give("operator", func(q *controlv1.CreateLimitOverrideRequest) { q.Lifetime = nil }), "lifetime")
	if _, err := limitsOf(gateway, "operator").DeleteLimitOverride(t.Context(), &controlv1.DeleteLimitOverrideRequest{Caller: "ann"}); reason(t, err) != rpcerror.ReasonLimitOverrideNotFound {
		t.Errorf("nothing to take back: %v", err)
	}
	bare := gatewaytest.New(t, gatewaytest.WithPolicy(limitPolicy))
	_, err := limitsOf(bare, "operator").ListLimitOverrides(t.Context(), &controlv1.ListLimitOverridesRequest{})
	wantReason(t, "without a ledger", err, connect.CodeFailedPrecondition, rpcerror.ReasonLimitsDisabled)
}
