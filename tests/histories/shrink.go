package histories

import (
	"slices"
	"sort"
	"time"
)

// shrink returns the smallest part that it finds of a history of one register that no
// register can have had: the shortest failing beginning, and of that only what is
// needed.
func shrink(spans []span) []span {
	spans = telling(shortest(spans))
	for changed := true; changed; {
		changed = false
		// From the end, so that what is left is early in the history.
		for i := len(spans) - 1; i >= 0; i-- {
			if fewer := without(spans, i); !linearizable(fewer) {
				spans, changed = fewer, true
				i = min(i, len(spans))
			}
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return int(a.Call - b.Call) })
	return spans
}

// without removes a span; with a write go the reads of its value, which no other
// write explains.
func without(spans []span, i int) []span {
	out := spans[i]
	return slices.DeleteFunc(slices.Clone(spans), func(s span) bool {
		return s == out || out.Write && s.Value == out.Value
	})
}

// shortest returns the shortest failing beginning.
func shortest(spans []span) []span {
	ends := make([]time.Duration, len(spans))
	for i, s := range spans {
		ends[i] = s.to
	}
	slices.Sort(ends)
	// If a beginning fails, each longer one does.
	n := sort.Search(len(ends)-1, func(n int) bool { return !linearizable(before(spans, ends[n])) })
	return before(spans, ends[n])
}

// before returns the history until a moment: reads that have ended, and writes that
// have begun.
func before(spans []span, end time.Duration) []span {
	return slices.DeleteFunc(slices.Clone(spans), func(s span) bool {
		return s.Write && s.from > end || !s.Write && s.to > end
	})
}
