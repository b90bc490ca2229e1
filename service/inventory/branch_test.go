package inventory

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// tree is what a walk goes through: pages of lists, by the names of the outer items.
type tree struct {
	pages map[string][][]string // the items on the pages of a list
	fails map[string]bool       // pages that cannot be read
}

func drawTree(t *rapid.T, depth int) *tree {
	tr := &tree{pages: make(map[string][][]string), fails: make(map[string]bool)}
	tr.draw(t, []string{"p"}, depth)
	return tr
}

func (tr *tree) draw(t *rapid.T, keys []string, depth int) {
	list := strings.Join(keys, "/")
	for page := range rapid.IntRange(1, 3).Draw(t, "pages") {
		tr.fails[fmt.Sprint(list, "?", page)] = rapid.IntRange(0, 5).Draw(t, "fails") == 0
		var items []string
		for n := range rapid.IntRange(0, 3).Draw(t, "items") {
			items = append(items, fmt.Sprintf("%d.%d", page, n))
		}
		tr.pages[list] = append(tr.pages[list], items)
		for _, item := range items {
			if depth > 1 {
				tr.draw(t, append(slices.Clone(keys), item), depth-1)
			}
		}
	}
}

// step makes the next read of a walk: the pages that came of it, in read, are counted by
// list and cursor. It returns false at the end.
func (tr *tree) step(b *branch, depth int, read map[string]int, failing bool) bool {
	f := b.next()
	if f == nil {
		return false
	}
	list, page := strings.Join(f.at.keys, "/"), 0
	if f.at.cursor != "" {
		_, _ = fmt.Sscanf(f.at.cursor, "%d", &page)
	}
	name := fmt.Sprint(list, "?", page)
	if failing && tr.fails[name] {
		b.fail(f)
		return true
	}
	read[name]++
	next, inner := "", tr.pages[list][page]
	if page+1 < len(tr.pages[list]) {
		next = fmt.Sprint(page + 1)
	}
	if len(f.at.keys) == depth {
		inner = nil
	}
	b.read(f, inner, next)
	return true
}

// TestWhatIsLeftOfABranch: at every moment of a walk, what was read and what is left are
// all of it, and nothing is in both. What a copy says does not change.
func TestWhatIsLeftOfABranch(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		depth := rapid.IntRange(1, 3).Draw(t, "depth")
		tr := drawTree(t, depth)
		whole := make(map[string]int)
		for list, pages := range tr.pages {
			for page := range pages {
				whole[fmt.Sprint(list, "?", page)] = 1
			}
		}
		b := newBranch(position{keys: []string{"p"}})
		read := make(map[string]int)
		type moment struct {
			left branch
			rest []position
			read map[string]int
		}
		var moments []moment
		for more := true; more; {
			left := b.clone()
			rest, _ := left.rest()
			moments = append(moments, moment{left, rest, maps.Clone(read)})
			more = tr.step(&b, depth, read, true)
		}
		for n, m := range moments {
			if rest, repeats := m.left.rest(); repeats || !slices.EqualFunc(rest, m.rest, comparePositions) {
				t.Fatalf("after %d reads %v was left, and later %v", n, m.rest, rest)
			}
			for _, p := range m.rest {
				again := newBranch(p)
				for tr.step(&again, depth, m.read, false) {
				}
			}
			if !maps.Equal(m.read, whole) {
				t.Fatalf("after %d reads %v was left; together %v, of %v", n, m.rest, m.read, whole)
			}
		}
	})
}

// TestBranchWithManyFailures leaves the item as a whole.
func TestBranchWithManyFailures(t *testing.T) {
	t.Parallel()
	b := newBranch(position{keys: []string{"p", "q"}, cursor: "x", page: 7})
	users := make([]string, 2*maxBranchRest)
	for n := range users {
		users[n] = fmt.Sprint(n)
	}
	b.read(b.next(), users[:maxBranchRest-1], "y")
	if left, repeats := b.rest(); len(left) != maxBranchRest || repeats {
		t.Errorf("%d positions are left, repeats %t", len(left), repeats)
	}
	b.read(&b.frames[0], users, "")
	for f := b.next(); f != nil; f = b.next() {
		if left, repeats := b.rest(); len(left) != 1 || len(left[0].keys) != 1 || left[0].cursor != "" || left[0].page != 7 || !repeats {
			t.Fatalf("%v is left, repeats %t", left, repeats)
		}
		b.fail(f)
	}
	if len(b.failed) > maxBranchRest+1 {
		t.Errorf("%d failures are remembered", len(b.failed))
	}
	if left, repeats := b.rest(); len(left) != 1 || !repeats {
		t.Errorf("%v is left, repeats %t", left, repeats)
	}
}

// TestTokensOfProgressAreBounded: where nothing was sent, none is; and on average they
// have no more characters than are said.
func TestTokensOfProgressAreBounded(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var pace tokenPace
		sent, characters := int64(0), 0
		for n := range rapid.IntRange(1, 200).Draw(t, "progresses") {
			news := rapid.Int64Range(0, 2).Draw(t, "news")
			sent += news
			before := pace.sent
			if !pace.due(sent) {
				continue
			}
			if sent == before {
				t.Fatal("a token without news")
			}
			last := rapid.IntRange(1, maxToken).Draw(t, "length")
			pace.took(strings.Repeat("x", last), sent)
			if characters > n*tokenRate {
				t.Fatalf("%d characters in %d messages", characters, n)
			}
			characters += last
		}
	})
	var pace tokenPace
	for n := range 100 {
		if !pace.due(int64(n + 1)) {
			t.Fatalf("no token with progress %d", n)
		}
		pace.took(strings.Repeat("x", tokenRate), int64(n+1))
	}
}
