package pages

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
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

// gatherModels is the usage of completions this month, by model.
func gatherModels(ctx context.Context, v *console.Visit) (any, error) {
	projects, err := projectsOf(v, permissionUsage, "")
	if err != nil {
		return nil, err
	}
	s := thisMonth(v.Now)
	limit := int32(31)
	request := &adminv1.ListCompletionsUsageRequest{
		StartTime: timestamppb.New(s.from), EndTime: timestamppb.New(s.to), ProjectIds: projects, Limit: &limit,
		GroupBy: []adminv1.CompletionsUsageGroupBy{adminv1.CompletionsUsageGroupBy_COMPLETIONS_USAGE_GROUP_BY_MODEL},
	}
	client := adminv1connect.NewUsageServiceClient(v.Client())
	byModel := make(map[string]*modelRow)
	for page := 0; ; page++ {
		answer, err := client.ListCompletionsUsage(ctx, request)
		if err != nil {
			return nil, err
		}
		for _, bucket := range answer.GetData() {
			for _, r := range bucket.GetResults() {
				row := byModel[r.GetModel()]
				if row == nil {
					row = &modelRow{Model: cmp.Or(r.GetModel(), nothing)}
					byModel[r.GetModel()] = row
				}
				row.Requests += r.GetNumModelRequests()
				row.Input += r.GetInputTokens()
				row.Cached += r.GetInputCachedTokens()
				row.Output += r.GetOutputTokens()
			}
		}
		if !answer.GetHasMore() {
			break
		}
		if page == maxPages || answer.GetNextPage() == "" {
			return nil, errors.New("the usage of a month has no end")
		}
		next := answer.GetNextPage()
		request.Page = &next
	}
	var view modelsView
	for _, row := range byModel {
		view.Rows = append(view.Rows, *row)
	}
	slices.SortFunc(view.Rows, func(a, b modelRow) int {
		return cmp.Or(cmp.Compare(b.Input+b.Output, a.Input+a.Output), cmp.Compare(a.Model, b.Model))
	})
	if len(view.Rows) > maxRows {
		view.More = len(view.Rows) - maxRows
		view.Rows = view.Rows[:maxRows]
	}
	return view, nil
}
