package sandbox

import (
	"encoding/json"
	"slices"

	"github.com/admin-gateway/admin-gateway/sandbox/data"
)

func costOperations() []operation {
	return []operation{get("/organization/costs", listCosts,
		num("start_time").between(0, maxTime).must(), num("end_time").between(0, maxTime),
		str("bucket_width").oneOf("1d"), strList("project_ids"), strList("api_key_ids"), strList("line_items"),
		listOf("group_by", str("").oneOf("project_id", "line_item", "api_key_id", "user_id", "api_source")),
		limitParam(7, 180), str("page"))}
}

type costView struct {
	Object       string     `json:"object"`
	Amount       costAmount `json:"amount"`
	LineItem     *string    `json:"line_item"`
	ProjectID    *string    `json:"project_id"`
	APIKeyID     *string    `json:"api_key_id"`
	UserID       *string    `json:"user_id"`
	APISource    *string    `json:"api_source"`
	Quantity     *int64     `json:"quantity"`
	QuantityUnit *string    `json:"quantity_unit"`
}

type costAmount struct {
	Value    any    `json:"value"` // a string, or a number with Options.CostsAsNumbers
	Currency string `json:"currency"`
}

func listCosts(c *call) (any, error) {
	spans, next, err := buckets(c.query, widths["1d"].seconds, c.query.num("limit"), c.now)
	if err != nil {
		return nil, err
	}
	filter := make(data.Filter)
	if c.query.has("project_ids") {
		filter[data.ByProject] = c.query.strs("project_ids")
	}
	if c.query.has("api_key_ids") {
		filter[data.ByKey] = c.query.strs("api_key_ids")
	}
	query := data.CostQuery{Filter: filter, PerLine: slices.Contains(c.query.strs("group_by"), "line_item")}
	if c.query.has("line_items") {
		query.Lines = c.query.strs("line_items")
	}
	for _, d := range []data.Dimension{data.ByProject, data.ByKey, data.ByUser, data.ByAPISource} {
		if slices.Contains(c.query.strs("group_by"), d.Name()) {
			query.By = append(query.By, d)
		}
	}
	answer := newBucketPage(spans, next)
	for i, costs := range c.org.Ledger.Costs(query, spans, c.now) {
		for _, cost := range costs {
			answer.Data[i].Results = append(answer.Data[i].Results, viewCost(cost, query.PerLine, c.costsAsNumbers))
		}
	}
	return answer, nil
}

func viewCost(cost data.GroupCost, perLine, asNumber bool) costView {
	v := costView{
		Object: "organization.costs.result", Amount: costAmount{cost.Dollars, "usd"},
		ProjectID: nonEmpty(cost.Key[data.ByProject]), APIKeyID: nonEmpty(cost.Key[data.ByKey]),
		UserID: nonEmpty(cost.Key[data.ByUser]), APISource: nonEmpty(cost.Key[data.ByAPISource]),
	}
	if asNumber {
		v.Amount.Value = json.Number(cost.Dollars)
	}
	if perLine {
		v.LineItem, v.Quantity, v.QuantityUnit = &cost.Line, &cost.Quantity, nonEmpty(cost.Unit)
	}
	return v
}
