package pacing

import (
	"context"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/types/known/timestamppb"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

// Budget reports on the upstream's request budget.
type Budget interface {
	// Snapshot is the state of all buckets, the organization's first.
	Snapshot(ctx context.Context) []pace.BucketState
	// Estimate is how long a call that flow made now would wait.
	Estimate(bucket string, flow pace.Flow) time.Duration
}

// budgetService answers admingateway.control.v1.BudgetService.
type budgetService struct{ budget Budget }

// Handlers answer admingateway.control.v1.BudgetService. Without a budget they
// fail: the gateway does not pace.
func Handlers(budget Budget) pipeline.Handlers {
	s := budgetService{budget}
	return pipeline.Handlers{"/admingateway.control.v1.BudgetService/GetBudget": pipeline.Unary(s.getBudget)}
}

func (s budgetService) getBudget(ctx context.Context, _ admission.Permit, _ *controlv1.GetBudgetRequest) (*controlv1.GetBudgetResponse, error) {
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
