package pages

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	"github.com/admin-gateway/admin-gateway/service/console"
	"github.com/admin-gateway/admin-gateway/service/console/money"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

const (
	permissionCosts = "costs.read"
	// currency is the one that sums are of.
	currency = "usd"
	// maxPages bounds the pages of one window, which has room in one.
	maxPages = 8
	// maxKeys bounds the names that costs are split by: what is beyond them is one.
	maxKeys = 5000
)

// split is how costs are split.
type split struct {
	option

	by  adminv1.CostsGroupBy // 0: not at all
	key func(*adminv1.CostsResult) string
}

// splits are those that the upstream can make. A model is the beginning of a line item.
func splits() []split {
	return []split{
		{option{"project", "Project"}, adminv1.CostsGroupBy_COSTS_GROUP_BY_PROJECT_ID, (*adminv1.CostsResult).GetProjectId},
		{option{"line_item", "Line item"}, adminv1.CostsGroupBy_COSTS_GROUP_BY_LINE_ITEM, (*adminv1.CostsResult).GetLineItem},
		{option{"model", "Model"}, adminv1.CostsGroupBy_COSTS_GROUP_BY_LINE_ITEM, func(r *adminv1.CostsResult) string {
			model, _, _ := strings.Cut(r.GetLineItem(), ",")
			return model
		}},
		{option{"key", "API key"}, adminv1.CostsGroupBy_COSTS_GROUP_BY_API_KEY_ID, (*adminv1.CostsResult).GetApiKeyId},
		{option{"user", "User"}, adminv1.CostsGroupBy_COSTS_GROUP_BY_USER_ID, (*adminv1.CostsResult).GetUserId},
		{option{"none", "Nothing"}, 0, func(*adminv1.CostsResult) string { return "" }},
	}
}

// splitOf is the split of a name; the first for what is none.
func splitOf(name string) split {
	return chosen(splits(), func(s split) string { return s.Value }, name)
}

// spending is what was spent in a range, by day and by key.
type spending struct {
	span   span
	total  money.Sum
	days   []money.Sum             // of the range
	keys   map[string]*[]money.Sum // by day
	sums   map[string]*money.Sum
	others int // amounts that are not in the currency, or no numbers
}

// errNoProject is the error for a project that is not one of the caller's. The gateway
// would refuse the call as well.
func errNoProject(permission string) error {
	return &rpcerror.Error{
		Code: connect.CodePermissionDenied, Reason: rpcerror.ReasonPermissionDenied, Metadata: map[string]string{"permission": permission},
		Message: "the caller lacks the permission " + permission + " in this project",
	}
}

// projectsOf are the projects that a request names: the one that was chosen, or those
// that the caller's permission is limited to. None: the whole organization.
func projectsOf(v *console.Visit, permission, chosen string) ([]string, error) {
	ids, limited := v.Access.Projects(permission)
	switch {
	case chosen == "" && limited && len(ids) == 0:
		return nil, errNoProject(permission)
	case chosen == "" && limited:
		return ids, nil
	case chosen == "":
		return nil, nil
	case limited && !slices.Contains(ids, chosen):
		return nil, errNoProject(permission)
	default:
		return []string{chosen}, nil
	}
}

// gatherSpending asks for the costs of a range, window by window.
func gatherSpending(ctx context.Context, v *console.Visit, s span, by split, project string) (*spending, error) {
	projects, err := projectsOf(v, permissionCosts, project)
	if err != nil {
		return nil, err
	}
	all := &spending{span: s, days: make([]money.Sum, s.days()), keys: make(map[string]*[]money.Sum), sums: make(map[string]*money.Sum)}
	client := adminv1connect.NewCostServiceClient(v.Client())
	windows := s.windows(v.Now)
	for i, w := range windows {
		v.Progress(console.Progress{Done: i, Total: len(windows), Things: "parts of the range"})
		request := &adminv1.ListCostsRequest{StartTime: timestamppb.New(w.from), EndTime: timestamppb.New(w.to), ProjectIds: projects}
		limit := int32(windowDays)
		request.Limit = &limit
		if by.by != 0 {
			request.GroupBy = []adminv1.CostsGroupBy{by.by}
		}
		for page := 0; ; page++ {
			answer, err := client.ListCosts(ctx, request)
			if err != nil {
				return nil, err
			}
			for _, bucket := range answer.GetData() {
				all.add(bucket, by)
			}
			if !answer.GetHasMore() {
				break
			}
			if page == maxPages || answer.GetNextPage() == "" {
				return nil, errors.New("the costs of a range have no end")
			}
			next := answer.GetNextPage()
			request.Page = &next
		}
	}
	return all, nil
}

// add adds a bucket of the upstream. A window reaches beyond the range.
func (a *spending) add(bucket *adminv1.CostsBucket, by split) {
	at := int(bucket.GetStartTime().AsTime().Sub(a.span.from) / day)
	if bucket.GetStartTime().AsTime().Before(a.span.from) || at >= len(a.days) {
		return
	}
	for _, r := range bucket.GetResults() {
		if r.GetAmount() == nil || r.GetAmount().Value == nil {
			continue // Nothing was spent.
		}
		var amount money.Sum
		if !strings.EqualFold(cmp.Or(r.GetAmount().GetCurrency(), currency), currency) || !amount.Add(r.GetAmount().GetValue()) {
			a.others++
			continue
		}
		a.total.AddSum(&amount)
		a.days[at].AddSum(&amount)
		key := by.key(r)
		if a.sums[key] == nil {
			if len(a.sums) >= maxKeys {
				key = "beyond the first " + console.Count(maxKeys)
			}
			if a.sums[key] == nil {
				days := make([]money.Sum, len(a.days))
				a.keys[key], a.sums[key] = &days, new(money.Sum)
			}
		}
		(*a.keys[key])[at].AddSum(&amount)
		a.sums[key].AddSum(&amount)
	}
}

// ranked are the keys, the dearest first.
func (a *spending) ranked() []string {
	return slices.SortedFunc(maps.Keys(a.sums), func(x, y string) int {
		return cmp.Or(a.sums[y].Cmp(a.sums[x]), cmp.Compare(x, y))
	})
}

// weekdaysFrom is how many whole days make it worth to look at weekdays.
const weekdaysFrom = 14

// projected is what a month comes to at its end: what the whole days of it have cost, and
// for each other day the mean of the whole days of the same weekday, or of all while there
// are few. Today is not over, and counts as one of the others. It is false without a
// whole day.
func (a *spending) projected(now time.Time) (*money.Sum, bool) {
	whole := int(midnight(now).Sub(a.span.from) / day)
	if whole < 1 || whole > len(a.days) {
		return nil, false
	}
	sum := new(money.Sum)
	var weekday [7]money.Sum
	var seen [7]int64
	for i := range whole {
		sum.AddSum(&a.days[i])
		w := a.span.from.Add(time.Duration(i) * day).Weekday()
		weekday[w].AddSum(&a.days[i])
		seen[w]++
	}
	mean := sum.Scaled(1, int64(whole))
	for at := a.span.from.Add(time.Duration(whole) * day); at.Before(a.span.from.AddDate(0, 1, 0)); at = at.Add(day) {
		if w := at.Weekday(); whole >= weekdaysFrom && seen[w] > 0 {
			sum.AddSum(weekday[w].Scaled(1, seen[w]))
		} else {
			sum.AddSum(mean)
		}
	}
	return sum, true
}
