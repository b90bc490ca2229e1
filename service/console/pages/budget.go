package pages

import (
	"cmp"
	"context"
	"slices"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1/controlv1connect"
	"github.com/admin-gateway/admin-gateway/service/console"
)

// maxBuckets bounds the buckets that the overview shows: those that are short come first.
const maxBuckets = 12

// budgetView is what the template "budget" shows.
type budgetView struct {
	Organization bucketView
	Buckets      []bucketView
	More         int // buckets that are not shown
	Shared       bool
	Closed       int // buckets that the upstream has closed
	Waiting      int64
}

// bucketView is one bucket.
type bucketView struct {
	Name    string
	Tokens  float64
	Burst   int32
	Rate    float64
	Waiting int64
	Closed  *controlv1.BudgetBucket // set where the upstream has closed it
}

func gatherBudget(ctx context.Context, v *console.Visit) (any, error) {
	answer, err := controlv1connect.NewBudgetServiceClient(v.Client()).GetBudget(ctx, &controlv1.GetBudgetRequest{})
	if err != nil {
		return nil, err
	}
	view := budgetView{Organization: viewBucket(answer.GetOrganization()), Shared: answer.GetShared()}
	view.Waiting = view.Organization.Waiting
	for _, b := range answer.GetBuckets() {
		one := viewBucket(b)
		view.Waiting += one.Waiting
		if one.Closed != nil {
			view.Closed++
		}
		view.Buckets = append(view.Buckets, one)
	}
	slices.SortStableFunc(view.Buckets, func(a, b bucketView) int {
		return cmp.Or(
			cmp.Compare(b.Waiting, a.Waiting), -compareBool(a.Closed != nil, b.Closed != nil), cmp.Compare(a.left(), b.left()), cmp.Compare(a.Name, b.Name),
		)
	})
	if len(view.Buckets) > maxBuckets {
		view.More = len(view.Buckets) - maxBuckets
		view.Buckets = view.Buckets[:maxBuckets]
	}
	return view, nil
}

func viewBucket(b *controlv1.BudgetBucket) bucketView {
	one := bucketView{
		Name: b.GetName(), Tokens: max(0, b.GetTokens()), Burst: b.GetBurst(), Rate: b.GetRatePerMinute(),
		Waiting: int64(b.GetQueuedRevocations()) + int64(b.GetQueuedInteractive()) + int64(b.GetQueuedFanOut()) +
			int64(b.GetQueuedUrgent()) + int64(b.GetQueuedMints()) + int64(b.GetQueuedSpare()),
	}
	if b.GetClosedUntil() != nil {
		one.Closed = b
	}
	return one
}

// left is the part of the bucket that is there.
func (b bucketView) left() float64 {
	if b.Burst <= 0 {
		return 0
	}
	return b.Tokens / float64(b.Burst)
}

// Tenths is the part that is there, for a meter.
func (b bucketView) Tenths() float64 { return min(1, b.left()) }

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	default:
		return -1
	}
}
