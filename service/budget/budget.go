package budget

import (
	"context"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/types/known/timestamppb"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1/controlv1connect"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/service/replicas"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/service/spending"
	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

// Budget reports on the upstream's request budget.
type Budget interface {
	// Snapshot is the state of all buckets, the organization's first.
	Snapshot(ctx context.Context) []pace.BucketState
}

// Spending is the account of what callers spend. A *spending.Account is one.
type Spending interface {
	Snapshot() []spending.Load
}

// Dependencies are the inputs of [Handlers].
type Dependencies struct {
	// Budget is that of the upstream; nil for a gateway that does not pace.
	Budget Budget
	// Spending is the account of callers, and Fleet all replicas. Both are required.
	Spending Spending
	Fleet    replicas.Fleet
}

// service answers admingateway.control.v1.BudgetService.
type service struct{ Dependencies }

// Handlers answer admingateway.control.v1.BudgetService, and the questions of other
// replicas for it. Without a budget they fail: the gateway does not pace.
func Handlers(d Dependencies) (pipeline.Handlers, error) {
	s := service{d}
	if err := d.Fleet.Handle(topKind, s.ownTop); err != nil {
		return nil, err
	}
	return pipeline.Handlers{
		controlv1connect.BudgetServiceGetBudgetProcedure: pipeline.Unary(s.getBudget),
		controlv1connect.BudgetServiceGetTopProcedure:    pipeline.Unary(s.getTop),
	}, nil
}

// errNotPaced is the error of a gateway without a budget.
func errNotPaced() error {
	return &rpcerror.Error{Code: connect.CodeFailedPrecondition, Reason: rpcerror.ReasonNoPacing, Message: "this gateway does not pace its calls"}
}

func (s service) getBudget(ctx context.Context, _ admission.Permit, _ *controlv1.GetBudgetRequest) (*controlv1.GetBudgetResponse, error) {
	if s.Budget == nil {
		return nil, errNotPaced()
	}
	answer := new(controlv1.GetBudgetResponse)
	answer.Organization, answer.Buckets, answer.Shared = s.buckets(ctx)
	return answer, nil
}

// buckets are the organization's, and the others; shared says that all replicas count
// together.
func (s service) buckets(ctx context.Context) (organization *controlv1.BudgetBucket, others []*controlv1.BudgetBucket, shared bool) {
	for i, state := range s.Budget.Snapshot(ctx) {
		if i == 0 {
			organization, shared = describeBucket(state), state.Shared
			continue
		}
		others = append(others, describeBucket(state))
	}
	return organization, others, shared
}

func describeBucket(s pace.BucketState) *controlv1.BudgetBucket {
	return &controlv1.BudgetBucket{
		Name: s.Bucket, RatePerMinute: s.Rate, CeilingPerMinute: s.Ceiling,
		Burst: int32(s.Burst), Tokens: s.Tokens,
		QueuedRevocations: int32(s.Queued.Revocation), QueuedInteractive: int32(s.Queued.Interactive), QueuedFanOut: int32(s.Queued.FanOut),
		QueuedUrgent: int32(s.Queued.Urgent), QueuedMints: int32(s.Queued.Mint), QueuedSpare: int32(s.Queued.Spare),
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
