package longestqueue_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/admin-gateway/admin-gateway/internal/longestqueue"
)

// TestLongest compares the queues with a list that is searched: whatever is added
// and removed, the next to go is the oldest of the key that has the most.
func TestLongest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		type entry struct {
			key  int
			item *longestqueue.Item[int, int]
		}
		var q longestqueue.Queues[int, int]
		var all []entry // by arrival
		for n := range rapid.IntRange(1, 60).Draw(t, "steps") {
			if len(all) > 0 && rapid.Bool().Draw(t, "remove") {
				i := rapid.IntRange(0, len(all)-1).Draw(t, "which")
				q.Remove(all[i].item)
				q.Remove(all[i].item) // Nothing more happens.
				all = slices.Delete(all, i, i+1)
			} else {
				key := rapid.IntRange(0, 4).Draw(t, "key")
				all = append(all, entry{key, q.Add(key, n)})
			}
			most := make(map[int]int)
			for _, e := range all {
				most[e.key]++
			}
			var want *longestqueue.Item[int, int]
			for _, e := range all {
				if q.Of(e.key) != most[e.key] {
					t.Fatalf("%d items of %d, want %d", q.Of(e.key), e.key, most[e.key])
				}
				longest := true
				for _, n := range most {
					longest = longest && n <= most[e.key]
				}
				if longest && want == nil {
					want = e.item
				}
			}
			if got := q.Longest(); got != want || q.Len() != len(all) {
				t.Fatalf("%v of %d is next, want %v of %d", got, q.Len(), want, len(all))
			}
		}
	})
}
