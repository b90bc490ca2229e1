package pages

import (
	"cmp"
	"context"
	"slices"

	"github.com/admin-gateway/admin-gateway/service/console"
)

const permissionUsage = "usage.read"

// modelsView is what the template "models" shows.
type modelsView struct {
	Rows []modelRow
	More int
}

// modelRow is the usage of a model.
type modelRow struct {
	Model                           string
	Requests, Input, Cached, Output int64
}

// modelsGatherer gathers the usage of completions this month, by model.
func modelsGatherer() func(context.Context, *console.Visit) (any, error) {
	kind := chosen(usageKinds(), func(k usageKind) string { return k.Value }, "completions")
	by := chosen(kind.splits, func(s usageSplit) string { return s.Value }, "model")
	return func(ctx context.Context, v *console.Visit) (any, error) {
		all, err := gatherUsed(ctx, v, usageChoice{choice: choice{span: thisMonth(v.Now)}, kind: kind, by: by})
		if err != nil {
			return nil, err
		}
		return modelsOf(all), nil
	}
}

func modelsOf(all *used) modelsView {
	var view modelsView
	for model, by := range all.keys {
		row := modelRow{Model: cmp.Or(model, nothing)}
		for n, m := range all.choice.kind.measures {
			switch m.Value {
			case "num_model_requests":
				row.Requests = by.sums[n]
			case "input_tokens":
				row.Input = by.sums[n]
			case "input_cached_tokens":
				row.Cached = by.sums[n]
			case "output_tokens":
				row.Output = by.sums[n]
			}
		}
		view.Rows = append(view.Rows, row)
	}
	slices.SortFunc(view.Rows, func(a, b modelRow) int {
		return cmp.Or(cmp.Compare(b.Input+b.Output, a.Input+a.Output), cmp.Compare(a.Model, b.Model))
	})
	if len(view.Rows) > maxRows {
		view.More = len(view.Rows) - maxRows
		view.Rows = view.Rows[:maxRows]
	}
	return view
}
