package pages

import (
	"context"
	"html/template"
	"time"

	"github.com/admin-gateway/admin-gateway/service/console"
	"github.com/admin-gateway/admin-gateway/service/console/plot"
)

// overview is the first page: what an operator asks first.
func overview(memo *plot.Memo) *console.Page {
	return &console.Page{
		Path: "/", Title: "Overview",
		Parts: []console.Part{
			{ID: "month", Title: "Costs this month", Needs: permissionCosts, Wide: true, Gather: monthGatherer(memo), Template: "month", Refresh: 5 * time.Minute},
			{ID: "limits", Title: "Spend limits and alerts", Gather: gatherLimits, Template: "limits", Refresh: 5 * time.Minute},
			{ID: "models", Title: "Usage by model this month", Needs: permissionUsage, Gather: modelsGatherer(), Template: "models", Refresh: 5 * time.Minute},
			{ID: "budget", Title: "Budget of the upstream", Needs: "budget.read", Gather: gatherBudget, Template: "budget", Refresh: 5 * time.Second},
			{ID: "replicas", Title: "Replicas, and what is wrong", Needs: permissionStatus, Gather: gatherReplicas, Template: "replicas", Refresh: 15 * time.Second},
		},
	}
}

// monthView is what the template "month" shows.
type monthView struct {
	Month     string
	Total     string
	Projected string // "" before the first whole day
	Yesterday string
	Plot      template.HTML
	Rows      []costRow
	More      int // rows that are not shown
	Others    int
}

// maxRows bounds the rows of a table of the overview.
const maxRows = 10

// monthSpending is what this month has cost, by project: the parts of the overview share
// the answer.
func monthSpending(ctx context.Context, v *console.Visit) (*spending, error) {
	return gatherSpending(ctx, v, thisMonth(v.Now), splitOf("project"), "")
}

func monthGatherer(memo *plot.Memo) func(context.Context, *console.Visit) (any, error) {
	return func(ctx context.Context, v *console.Visit) (any, error) { return gatherMonth(ctx, v, memo) }
}

func gatherMonth(ctx context.Context, v *console.Visit, memo *plot.Memo) (any, error) {
	all, err := monthSpending(ctx, v)
	if err != nil {
		return nil, err
	}
	view := monthView{Month: all.span.from.Format("January 2006"), Total: all.total.String(), Others: all.others}
	if projected, ok := all.projected(v.Now); ok {
		view.Projected = projected.String()
	}
	if n := len(all.days); n > 1 {
		view.Yesterday = all.days[n-2].String()
	}
	if view.Plot, view.Rows, err = all.shown(memo, "Costs this month by day and project, in dollars", false, projectNames(ctx, v)); err != nil {
		return nil, err
	}
	if len(view.Rows) > maxRows {
		view.More = len(view.Rows) - maxRows
		view.Rows = view.Rows[:maxRows]
	}
	return view, nil
}
