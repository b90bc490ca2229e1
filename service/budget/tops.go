package budget

import (
	"cmp"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
)

// tops adds up the answers of replicas.
type tops struct {
	callers map[string]*controlv1.CallerLoad
	leftOut int32
	// organization is the first of budgets.
	budgets []*controlv1.BudgetBucket
	alone   bool // One of the replicas counts for itself.
}

func (t *tops) add(one *controlv1.GetTopResponse, self bool) {
	t.leftOut += one.GetLeftOut()
	t.alone = t.alone || !one.GetShared()
	for _, load := range one.GetCallers() {
		if sum := t.callers[load.GetCaller()]; sum != nil {
			addLoad(sum, load)
		} else {
			t.callers[load.GetCaller()] = load
		}
	}
	t.addBudget(one.GetOrganization(), one.GetShared(), self)
	for _, b := range one.GetBuckets() {
		t.addBudget(b, one.GetShared(), self)
	}
}

// addBudget adds the queues. What replicas share is one number, for which the word of the
// replica that was asked counts; of those that count for themselves each has its own.
func (t *tops) addBudget(b *controlv1.BudgetBucket, shared, self bool) {
	i := slices.IndexFunc(t.budgets, func(known *controlv1.BudgetBucket) bool { return known.GetName() == b.GetName() })
	if i < 0 {
		t.budgets = append(t.budgets, b)
		return
	}
	sum := t.budgets[i]
	sum.QueuedRevocations += b.GetQueuedRevocations()
	sum.QueuedInteractive += b.GetQueuedInteractive()
	sum.QueuedFanOut += b.GetQueuedFanOut()
	sum.QueuedUrgent += b.GetQueuedUrgent()
	sum.QueuedMints += b.GetQueuedMints()
	sum.QueuedSpare += b.GetQueuedSpare()
	switch {
	case !shared:
		sum.RatePerMinute += b.GetRatePerMinute()
		sum.Tokens += b.GetTokens()
	case self:
		sum.RatePerMinute, sum.Tokens, sum.ClosedUntil, sum.LastLimited = b.GetRatePerMinute(), b.GetTokens(), b.GetClosedUntil(), b.GetLastLimited()
	}
}

// into writes the sums, with so many callers.
func (t *tops) into(answer *controlv1.GetTopResponse, limit int) {
	for _, load := range t.callers {
		slices.SortFunc(load.GetBudgets(), func(x, y *controlv1.BudgetSpending) int { return cmp.Compare(x.GetBudget(), y.GetBudget()) })
		answer.Callers = append(answer.Callers, load)
	}
	slices.SortFunc(answer.GetCallers(), byWeight)
	answer.LeftOut = t.leftOut
	if more := len(answer.GetCallers()) - limit; more > 0 {
		answer.LeftOut += int32(more)
		answer.Callers = answer.GetCallers()[:limit]
	}
	slices.SortFunc(t.budgets, func(x, y *controlv1.BudgetBucket) int { return cmp.Compare(x.GetName(), y.GetName()) })
	for i, b := range t.budgets {
		if i == 0 && b.GetName() == "" {
			answer.Organization = b
			continue
		}
		answer.Buckets = append(answer.Buckets, b)
	}
	answer.Shared = len(t.budgets) > 0 && !t.alone
}

func addLoad(sum, more *controlv1.CallerLoad) {
	addCounts(sum.GetMinute(), more.GetMinute())
	addCounts(sum.GetTotal(), more.GetTotal())
	for _, b := range more.GetBudgets() {
		i := slices.IndexFunc(sum.GetBudgets(), func(known *controlv1.BudgetSpending) bool { return known.GetBudget() == b.GetBudget() })
		if i < 0 {
			sum.Budgets = append(sum.GetBudgets(), b)
			continue
		}
		to := sum.GetBudgets()[i]
		to.RequestsMinute += b.GetRequestsMinute()
		to.RequestsTotal += b.GetRequestsTotal()
		to.Waiting += b.GetWaiting()
		to.WaitedMinute = together(to.GetWaitedMinute(), b.GetWaitedMinute())
		to.WaitedTotal = together(to.GetWaitedTotal(), b.GetWaitedTotal())
	}
}

func addCounts(sum, more *controlv1.CallCounts) {
	if sum == nil {
		return
	}
	sum.Calls += more.GetCalls()
	sum.Cached += more.GetCached()
	sum.Refused += more.GetRefused()
	sum.Failed += more.GetFailed()
}

func together(x, y *durationpb.Duration) *durationpb.Duration {
	var sum time.Duration
	for _, d := range []*durationpb.Duration{x, y} {
		if d != nil {
			sum += d.AsDuration()
		}
	}
	return durationpb.New(sum)
}
