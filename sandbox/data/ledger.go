package data

import "slices"

// Ledger says what was used and what it cost. It is made with the organization
// and does not change: a deletion does not undo usage.
type Ledger struct {
	workloads []workload
	lines     []lineItem
}

// Span is a range of time, in Unix seconds: [Start, End).
type Span struct{ Start, End int64 }

// minutes returns the range of whole minutes that begin within the span and are
// over at now.
func (s Span) minutes(now int64) (from, to int64) {
	return (s.Start + 59) / 60, min((s.End+59)/60, now/60)
}

func (f Filter) accepts(w *workload) bool {
	for d, accepted := range f {
		if accepted != nil && !slices.Contains(accepted, w.dims[d]) {
			return false
		}
	}
	return true
}

// selected returns the workloads that the filter accepts, of one kind or, with an
// empty kind, of all.
func (l *Ledger) selected(kind string, f Filter) []*workload {
	var out []*workload
	for i := range l.workloads {
		if w := &l.workloads[i]; (kind == "" || kind == w.kind) && f.accepts(w) {
			out = append(out, w)
		}
	}
	return out
}

// grouping assigns workloads to groups by the requested dimensions.
type grouping struct {
	by     []Dimension
	keys   []GroupKey
	groups map[GroupKey]int
}

func newGrouping(by []Dimension) *grouping {
	return &grouping{by: by, groups: make(map[GroupKey]int)}
}

func (g *grouping) of(w *workload) int {
	var key GroupKey
	for _, d := range g.by {
		key[d] = w.dims[d]
	}
	at, known := g.groups[key]
	if !known {
		at = len(g.keys)
		g.keys = append(g.keys, key)
		g.groups[key] = at
	}
	return at
}

// GroupUsage is the usage of a group, by the name of the metric.
type GroupUsage struct {
	Key     GroupKey
	Metrics map[string]int64
}

// Usage returns the usage of each group in each span, without the groups that
// used nothing. Now is the time in Unix seconds; minutes that are not over at
// that time do not count.
func (l *Ledger) Usage(k *UsageKind, f Filter, by []Dimension, spans []Span, now int64) [][]GroupUsage {
	groups := newGrouping(by)
	workloads := l.selected(k.Name, f)
	groupOf := make([]int, len(workloads))
	for i, w := range workloads {
		groupOf[i] = groups.of(w)
	}
	out := make([][]GroupUsage, len(spans))
	sums := make([]parts, len(groups.keys))
	for n, span := range spans {
		clear(sums)
		from, to := span.minutes(now)
		for i, w := range workloads {
			sum := &sums[groupOf[i]]
			for p, n := range w.between(from, to) {
				sum[p] += n
			}
		}
		for i, sum := range sums {
			if sum != (parts{}) {
				out[n] = append(out[n], GroupUsage{groups.keys[i], k.totals(sum)})
			}
		}
	}
	return out
}

// TotalUsage adds up all usage in the span, by the name of the metric.
func (l *Ledger) TotalUsage(k *UsageKind, f Filter, span Span, now int64) map[string]int64 {
	var sum parts
	from, to := span.minutes(now)
	for _, w := range l.selected(k.Name, f) {
		for p, n := range w.between(from, to) {
			sum[p] += n
		}
	}
	return k.totals(sum)
}
