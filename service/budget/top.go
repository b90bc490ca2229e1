package budget

import (
	"cmp"
	"context"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/internal/fleet"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/replicas"
	"github.com/admin-gateway/admin-gateway/service/spending"
)

const (
	// topKind is the kind of the question to replicas.
	topKind = "budget.top"
	// defaultTop is how many callers are returned when the request does not say.
	defaultTop = 100
)

// getTop adds up what all replicas know.
func (s service) getTop(ctx context.Context, _ admission.Permit, request *controlv1.GetTopRequest) (*controlv1.GetTopResponse, error) {
	if s.Budget == nil {
		return nil, errNotPaced()
	}
	parts, err := replicas.Ask(ctx, s.Fleet, topKind, nil, func() *controlv1.GetTopResponse { return &controlv1.GetTopResponse{} })
	if err != nil {
		return nil, err
	}
	all := &tops{callers: make(map[string]*controlv1.CallerLoad)}
	for _, part := range parts.All {
		all.add(part.Message, part.Self)
	}
	answer := &controlv1.GetTopResponse{
		Replicas: int32(len(parts.All)), MissingReplicas: parts.Missing, UnknownReplicas: parts.Unknown,
	}
	all.into(answer, int(cmp.Or(request.GetLimit(), defaultTop)))
	return answer, nil
}

// ownTop is the part of this replica, as long as an answer may be.
func (s service) ownTop(ctx context.Context, _ []byte) ([]byte, error) {
	if s.Budget == nil {
		return nil, errNotPaced()
	}
	own := new(controlv1.GetTopResponse)
	own.Organization, own.Buckets, own.Shared = s.buckets(ctx)
	for _, load := range s.Spending.Snapshot() {
		own.Callers = append(own.Callers, describeLoad(load))
	}
	slices.SortFunc(own.GetCallers(), byWeight)
	for len(own.GetCallers()) > 0 && proto.Size(own) > fleet.MaxAnswer {
		// The last ones do least. Where a thousand callers do not fit, a few less do.
		n := len(own.GetCallers()) * 9 / 10
		own.LeftOut += int32(len(own.GetCallers()) - n)
		own.Callers = own.GetCallers()[:n]
	}
	return proto.Marshal(own)
}

func describeLoad(l spending.Load) *controlv1.CallerLoad {
	load := &controlv1.CallerLoad{Caller: l.Caller, Minute: describeCounts(l.Minute), Total: describeCounts(l.Total)}
	for _, b := range l.Budgets {
		load.Budgets = append(load.Budgets, &controlv1.BudgetSpending{
			Budget: b.Budget, RequestsMinute: number(b.RequestsMinute), RequestsTotal: number(b.Requests), Waiting: b.Waiting,
			WaitedMinute: durationpb.New(b.WaitedMinute), WaitedTotal: durationpb.New(b.Waited),
		})
	}
	return load
}

func describeCounts(c spending.Counts) *controlv1.CallCounts {
	return &controlv1.CallCounts{Calls: number(c.All()), Cached: number(c.Cached), Refused: number(c.Refused), Failed: number(c.Failed)}
}

func number(n uint64) int64 { return int64(n) }

// byWeight orders callers: those with the most requests of the last minute first, then by
// calls that wait, calls of the minute, and requests of all time.
func byWeight(x, y *controlv1.CallerLoad) int {
	a, b := weightOf(x), weightOf(y)
	for i := range a {
		if c := cmp.Compare(b[i], a[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(x.GetCaller(), y.GetCaller())
}

func weightOf(l *controlv1.CallerLoad) (weight [5]int64) {
	for _, b := range l.GetBudgets() {
		weight[0] += b.GetRequestsMinute()
		weight[1] += b.GetWaiting()
		weight[3] += b.GetRequestsTotal()
	}
	weight[2], weight[4] = l.GetMinute().GetCalls(), l.GetTotal().GetCalls()
	return weight
}
