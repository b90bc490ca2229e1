package sandbox

import (
	"math/big"
	"slices"
)

// ledger answers what was used and what it cost. It is made with the
// organization and does not change: whatever is deleted later, it was used.
type ledger struct {
	workloads []workload
	lines     []lineItem
}

// lineItem is a position of the price list. Prices are in attodollars, 1e-18.
type lineItem struct {
	name  string
	unit  string // as in quantity_unit; empty where none fits
	price int64
}

// usageQuery selects usage: seconds since the epoch, and lists of accepted
// values, where nil accepts all.
type usageQuery struct {
	kind       string // empty: all
	start, end int64
	filters    [dimensions][]string
}

// matches does not look at the time.
func (q *usageQuery) matches(w *workload) bool {
	if q.kind != "" && q.kind != w.kind {
		return false
	}
	for d, accepted := range q.filters {
		if accepted != nil && !slices.Contains(accepted, w.dims[d]) {
			return false
		}
	}
	return true
}

// minutes is the span of whole minutes that begin within [start, end) and are
// over at now.
func minutes(start, end, now int64) (from, to int64) {
	return (start + 59) / 60, min((end+59)/60, now/60)
}

// usage adds up the parts of everything that the query selects.
func (l *ledger) usage(q usageQuery, now int64) parts {
	var sum parts
	from, to := minutes(q.start, q.end, now)
	for i := range l.workloads {
		if w := &l.workloads[i]; q.matches(w) {
			for p, n := range w.between(from, to) {
				sum[p] += n
			}
		}
	}
	return sum
}

// cost is the price of everything that the query selects, in dollars.
func (l *ledger) cost(q usageQuery, now int64) *big.Rat {
	quantities := make([]int64, len(l.lines))
	from, to := minutes(q.start, q.end, now)
	for i := range l.workloads {
		w := &l.workloads[i]
		if !q.matches(w) {
			continue
		}
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

// A dollar is attodollars, 1 followed by attoDigits zeros.
const (
	attoDigits  = 18
	attodollars = 1_000_000_000_000_000_000
)

func (l lineItem) times(quantity int64) *big.Int {
	return new(big.Int).Mul(big.NewInt(l.price), big.NewInt(quantity))
}
