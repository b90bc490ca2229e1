package service

import (
	"context"
	"slices"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/types/known/timestamppb"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/upstream"
	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

// Budget tells how the upstream's request budget is spent.
type Budget interface {
	// Snapshot is the state of all buckets, the organization's first.
	Snapshot(ctx context.Context) []pace.BucketState
	// Estimate is how long a call that flow made now would wait.
	Estimate(bucket string, flow pace.Flow) time.Duration
}

// Budgets lists the names of all budgets that methods spend, sorted.
func (c *Catalog) Budgets() []string {
	var names []string
	for _, m := range c.methods {
		names = append(names, m.Budget)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// BudgetOf names the budget that a call to an endpoint of the catalog spends, ""
// for one that is not of the catalog.
func (c *Catalog) BudgetOf(e *upstream.Endpoint) string {
	if m := c.byEndpoint[e]; m != nil {
		return m.Budget
	}
	return ""
}

// paced is the context of a call to the upstream: for whom it waits, and when its
// turn is.
func paced(ctx context.Context, c *call) context.Context {
	flow := pace.Flow{Key: c.identity.Caller, Class: pace.Interactive}
	switch {
	case c.part:
		flow.Class = pace.FanOut
	case c.method != nil && c.method.Revokes:
		flow.Class = pace.Revocation
	}
	return pace.WithFlow(ctx, flow)
}

// unhurried is the context of a call that nobody waits for.
func unhurried(ctx context.Context) context.Context {
	flow := pace.FlowFrom(ctx)
	flow.Class = pace.FanOut
	return pace.WithFlow(ctx, flow)
}

// hurry makes a fetch that an inventory or nobody waits for as urgent as the call
// that comes to wait for it.
func hurry(flight, joiner context.Context) { pace.Raise(flight, pace.FlowFrom(joiner)) }

// budgetService answers admingateway.control.v1.BudgetService.
type budgetService struct{ budget Budget }

func (s budgetService) handlers() map[string]ownHandler {
	return map[string]ownHandler{"/admingateway.control.v1.BudgetService/GetBudget": answers(s.getBudget)}
}

func (s budgetService) getBudget(ctx context.Context, _ permit, _ *controlv1.GetBudgetRequest) (*controlv1.GetBudgetResponse, error) {
	if s.budget == nil {
		return nil, &rpcerror.Error{Code: connect.CodeFailedPrecondition, Reason: rpcerror.ReasonNoPacing, Message: "this gateway does not pace its calls"}
	}
	answer := &controlv1.GetBudgetResponse{}
	for i, state := range s.budget.Snapshot(ctx) {
		b := describeBucket(state)
		if i == 0 {
			answer.Organization, answer.Shared = b, state.Shared
			continue
		}
		answer.Buckets = append(answer.Buckets, b)
	}
	return answer, nil
}

func describeBucket(s pace.BucketState) *controlv1.BudgetBucket {
	return &controlv1.BudgetBucket{
		Name: s.Bucket, RatePerMinute: s.Rate, CeilingPerMinute: s.Ceiling,
		Burst: int32(s.Burst), Tokens: s.Tokens,
		QueuedRevocations: int32(s.Queued.Revocation), QueuedInteractive: int32(s.Queued.Interactive), QueuedFanOut: int32(s.Queued.FanOut),
		ClosedUntil: instant(s.ClosedUntil), LastLimited: instant(s.LastLimited),
	}
}

// instant is absent where there is none.
func instant(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
