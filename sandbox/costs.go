package sandbox

import (
	"cmp"
	"encoding/json"
	"math/big"
	"slices"
	"strings"
)

func costOperations() []operation {
	return []operation{get("/organization/costs", listCosts,
		num("start_time").between(0, maxTime).must(), num("end_time").between(0, maxTime),
		str("bucket_width").oneOf("1d"), strList("project_ids"), strList("api_key_ids"),
		listOf("group_by", str("").oneOf("project_id", "line_item", "api_key_id")),
		limitParam(7, 180), str("page"))}
}

type costView struct {
	Object       string     `json:"object"`
	Amount       costAmount `json:"amount"`
	LineItem     *string    `json:"line_item"`
	ProjectID    *string    `json:"project_id"`
	APIKeyID     *string    `json:"api_key_id"`
	Quantity     *int64     `json:"quantity"`
	QuantityUnit *string    `json:"quantity_unit"`
}

type costAmount struct {
	Value    any    `json:"value"` // a string, or a number with Options.CostsAsNumbers
	Currency string `json:"currency"`
}

// costSlot is what one group pays under one position of the price list.
type costSlot struct{ group, line int }

// costSheet adds up quantities by slot. Prices come in at the end, so that
// amounts are exact.
type costSheet struct {
	lines      []lineItem
	groups     *grouping
	slots      []costSlot // in order
	workloads  []*workload
	workSlots  [][maxParts]int // for each workload, where its parts are counted
	quantities []int64         // by slot
}

func newCostSheet(l *ledger, q usageQuery, by []dimension) *costSheet {
	s := &costSheet{lines: l.lines, groups: newGrouping(by)}
	slotOf := make(map[costSlot]int)
	for i := range l.workloads {
		w := &l.workloads[i]
		if !q.matches(w) {
			continue
		}
		s.workloads = append(s.workloads, w)
		for _, line := range w.lines {
			slot := costSlot{s.groups.of(w), line}
			if _, known := slotOf[slot]; line != noLine && !known {
				slotOf[slot] = 0
				s.slots = append(s.slots, slot)
			}
		}
	}
	slices.SortFunc(s.slots, func(a, b costSlot) int {
		return cmp.Or(a.group-b.group, a.line-b.line)
	})
	for i, slot := range s.slots {
		slotOf[slot] = i
	}
	s.workSlots = make([][maxParts]int, len(s.workloads))
	for i, w := range s.workloads {
		for p, line := range w.lines {
			s.workSlots[i][p] = noLine
			if line != noLine {
				s.workSlots[i][p] = slotOf[costSlot{s.groups.of(w), line}]
			}
		}
	}
	s.quantities = make([]int64, len(s.slots))
	return s
}

func (s *costSheet) count(from, to int64) {
	clear(s.quantities)
	for i, w := range s.workloads {
		for p, n := range w.between(from, to) {
			if at := s.workSlots[i][p]; at != noLine {
				s.quantities[at] += n
			}
		}
	}
}

func listCosts(c *call) (any, error) {
	page, next, err := buckets(c.query, widths["1d"].seconds, c.query.num("limit"), c.now)
	if err != nil {
		return nil, err
	}
	var q usageQuery
	if c.query.has("project_ids") {
		q.filters[byProject] = c.query.strs("project_ids")
	}
	if c.query.has("api_key_ids") {
		q.filters[byKey] = c.query.strs("api_key_ids")
	}
	var by []dimension
	for _, d := range []dimension{byProject, byKey} {
		if slices.Contains(c.query.strs("group_by"), d.groupName()) {
			by = append(by, d)
		}
	}
	perLine := slices.Contains(c.query.strs("group_by"), "line_item")
	sheet := newCostSheet(c.org.ledger, q, by)
	answer := bucketPage{"page", make([]bucketView, 0, len(page)), next != nil, next}
	for _, b := range page {
		sheet.count(minutes(b.start, b.end, c.now))
		answer.Data = append(answer.Data, bucketView{"bucket", b.start, b.end, sheet.results(perLine, c.costsAsNumbers)})
	}
	return answer, nil
}

// results shows the non-zero sums of the sheet: one a group, or one a group
// and line item, in which case the quantity is known too.
func (s *costSheet) results(perLine, asNumbers bool) []any {
	out := []any{}
	var open *costView
	total := new(big.Int)
	flush := func() {
		if open != nil {
			open.Amount = newCostAmount(total, asNumbers)
			out = append(out, open)
		}
		open = nil
		total.SetInt64(0)
	}
	group := -1
	for i, slot := range s.slots {
		if perLine || slot.group != group {
			flush()
		}
		group = slot.group
		if s.quantities[i] == 0 {
			continue
		}
		if open == nil {
			key := s.groups.keys[slot.group]
			open = &costView{
				Object:    "organization.costs.result",
				ProjectID: nonEmpty(key[byProject]), APIKeyID: nonEmpty(key[byKey]),
			}
		}
		line := s.lines[slot.line]
		total.Add(total, line.times(s.quantities[i]))
		if perLine {
			open.LineItem, open.Quantity, open.QuantityUnit = &line.name, new(s.quantities[i]), nonEmpty(line.unit)
		}
	}
	flush()
	return out
}

func newCostAmount(total *big.Int, asNumber bool) costAmount {
	digits := decimal(total)
	if asNumber {
		return costAmount{json.Number(digits), "usd"}
	}
	return costAmount{digits, "usd"}
}

// decimal writes attodollars as dollars, with all eighteen decimals.
func decimal(total *big.Int) string {
	s := total.String()
	if missing := attoDigits + 1 - len(s); missing > 0 {
		s = strings.Repeat("0", missing) + s
	}
	return s[:len(s)-attoDigits] + "." + s[len(s)-attoDigits:]
}
