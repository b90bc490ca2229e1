package data

import (
	"cmp"
	"math/big"
	"slices"
	"strings"
)

// lineItem is a position of the price list. Prices are in attodollars, 1e-18.
type lineItem struct {
	name  string
	unit  string // as in quantity_unit; empty where none fits
	price int64
}

func (l lineItem) times(quantity int64) *big.Int {
	return new(big.Int).Mul(big.NewInt(l.price), big.NewInt(quantity))
}

// A dollar is attodollars, 1 followed by attoDigits zeros.
const (
	attoDigits  = 18
	attodollars = 1_000_000_000_000_000_000
)

// decimal writes attodollars as dollars, with all eighteen decimals.
func decimal(total *big.Int) string {
	s := total.String()
	if missing := attoDigits + 1 - len(s); missing > 0 {
		s = strings.Repeat("0", missing) + s
	}
	return s[:len(s)-attoDigits] + "." + s[len(s)-attoDigits:]
}

// TotalCost is the exact cost of all usage in the span, in dollars.
func (l *Ledger) TotalCost(f Filter, span Span, now int64) *big.Rat {
	quantities := make([]int64, len(l.lines))
	from, to := span.minutes(now)
	for _, w := range l.selected("", f) {
		for p, n := range w.between(from, to) {
			if w.lines[p] != noLine {
				quantities[w.lines[p]] += n
			}
		}
	}
	total := new(big.Int)
	for i, n := range quantities {
		total.Add(total, l.lines[i].times(n))
	}
	return new(big.Rat).SetFrac(total, big.NewInt(attodollars))
}

// GroupCost is the cost of a group's usage. Line, Unit and Quantity belong to one
// position of the price list; they are empty when positions are added up.
type GroupCost struct {
	Key      GroupKey
	Line     string
	Unit     string // Empty where none fits.
	Quantity int64
	Dollars  string // A decimal number, exact to eighteen decimals.
}

// CostQuery selects costs and groups them.
type CostQuery struct {
	Filter Filter
	// Lines are names of positions of the price list; nil selects all.
	Lines []string
	By    []Dimension
	// PerLine groups by position of the price list too.
	PerLine bool
}

// Costs returns the cost of each group in each span, without costs of zero. Now is as
// in Usage.
func (l *Ledger) Costs(q CostQuery, spans []Span, now int64) [][]GroupCost {
	sheet := newCostSheet(l, q)
	out := make([][]GroupCost, len(spans))
	for i, span := range spans {
		sheet.count(span.minutes(now))
		out[i] = sheet.costs(q.PerLine)
	}
	return out
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
	workSlots  [][maxParts]int // for each workload, the slots of its parts
	quantities []int64         // by slot
}

func newCostSheet(l *Ledger, q CostQuery) *costSheet {
	s := &costSheet{lines: l.lines, groups: newGrouping(q.By), workloads: l.selected("", q.Filter)}
	wanted := func(line int) bool {
		return line != noLine && (q.Lines == nil || slices.Contains(q.Lines, l.lines[line].name))
	}
	slotOf := make(map[costSlot]int)
	for _, w := range s.workloads {
		for _, line := range w.lines {
			slot := costSlot{s.groups.of(w), line}
			if _, known := slotOf[slot]; wanted(line) && !known {
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
			if wanted(line) {
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

// costs returns the sums of the sheet that are not zero: one a group, or one a
// group and line item.
func (s *costSheet) costs(perLine bool) []GroupCost {
	var out []GroupCost
	var open *GroupCost
	total := new(big.Int)
	flush := func() {
		if open != nil {
			open.Dollars = decimal(total)
			out = append(out, *open)
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
			open = &GroupCost{Key: s.groups.keys[slot.group]}
		}
		line := s.lines[slot.line]
		total.Add(total, line.times(s.quantities[i]))
		if perLine {
			open.Line, open.Unit, open.Quantity = line.name, line.unit, s.quantities[i]
		}
	}
	flush()
	return out
}
