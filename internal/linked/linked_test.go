package linked_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/admin-gateway/admin-gateway/internal/linked"
)

type member struct {
	id   int
	link linked.Link[member]
}

func ids(l *linked.List[member]) []int {
	var all []int
	for m := range l.All {
		all = append(all, m.id)
	}
	slices.Sort(all)
	return all
}

// Beside a map, whatever is added and removed in whatever order.
func TestListIsASet(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		members := make([]member, 8)
		var l linked.List[member]
		on := map[int]bool{}
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			i := rapid.IntRange(0, len(members)-1).Draw(t, "member")
			m := &members[i]
			m.id = i
			if on[i] || rapid.Bool().Draw(t, "remove") {
				l.Remove(&m.link)
				delete(on, i)
			} else {
				l.Add(m, &m.link)
				on[i] = true
			}
			var want []int
			for id := range on {
				want = append(want, id)
			}
			slices.Sort(want)
			if got := ids(&l); !slices.Equal(got, want) || l.Len() != len(want) {
				t.Fatalf("%d members, %v; want %v", l.Len(), got, want)
			}
		}
	})
}

func TestAllStops(t *testing.T) {
	t.Parallel()
	var a, b member
	var l linked.List[member]
	l.Add(&a, &a.link)
	l.Add(&b, &b.link)
	seen := 0
	for range l.All {
		seen++
		break
	}
	if seen != 1 {
		t.Errorf("%d were seen", seen)
	}
}

func TestToBeOnAListCostsNoMemory(t *testing.T) {
	var m member
	var l linked.List[member]
	if n := testing.AllocsPerRun(100, func() {
		l.Add(&m, &m.link)
		l.Remove(&m.link)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
