package inventory

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
)

var tokenScopes = tokenScope{"caller", "/p.S/M", []byte("request")}

func comparePositions(a, b position) bool {
	return slices.Equal(a.keys, b.keys) && a.cursor == b.cursor
}

// TestTokenSaysWhatWentIn, and nothing else is a token.
func TestTokenSaysWhatWentIn(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := rest{now: rapid.Int64Range(0, 1<<40).Draw(t, "now")}
		name := rapid.StringMatching(`[a-z_0-9]{1,40}`)
		for range rapid.IntRange(1, 30).Draw(t, "positions") {
			p := position{keys: rapid.SliceOfN(name, 1, 3).Draw(t, "keys"), page: -1}
			if rapid.Bool().Draw(t, "further on") {
				p.cursor = rapid.String().Draw(t, "cursor")
			}
			r.positions = append(r.positions, p)
		}
		if rapid.Bool().Draw(t, "list") {
			r.positions = append(r.positions, position{cursor: name.Draw(t, "cursor"), page: -1})
		}
		token, ok := tokenScopes.token(r)
		if !ok {
			t.Skip("too long")
		}
		got, err := tokenScopes.parse(token, 3)
		if err != nil || got.now != r.now || !slices.EqualFunc(r.positions, got.positions, comparePositions) {
			t.Fatalf("%+v, want %+v, %v", got, r, err)
		}
		at := rapid.IntRange(0, len(token)-1).Draw(t, "at")
		other := rapid.SampledFrom([]byte("ABCxyz019-_=+ ")).Draw(t, "other")
		if token[at] != other {
			if _, err := tokenScopes.parse(token[:at]+string(other)+token[at+1:], 3); err == nil {
				t.Fatalf("changed at %d", at)
			}
		}
	})
}

// TestTokenBodiesAreBounded: a checksum does not make a body valid, for
// anybody can compute one.
func TestTokenBodiesAreBounded(t *testing.T) {
	t.Parallel()
	at := func(cursor string, keys ...string) rest {
		return rest{positions: []position{{keys: keys, cursor: cursor}}}
	}
	for name, r := range map[string]rest{
		"nothing":      {},
		"the past":     {now: -1, positions: []position{{}}},
		"too deep":     at("", "a", "b", "c"),
		"no name":      at("", ""),
		"a long name":  at("", strings.Repeat("x", maxKey+1)),
		"a long place": at(strings.Repeat("x", maxCursor+1), "a"),
		"two lists":    {positions: []position{{}, {cursor: "x"}}},
	} {
		token, _ := tokenScopes.token(r)
		if got, err := tokenScopes.parse(token, 2); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got, err := tokenScopes.parse(must(tokenScopes.token(at("x", strings.Repeat("y", maxKey), "b"))), 2); err != nil {
		t.Errorf("%+v, %v", got, err)
	}
}

func must(token string, _ bool) string { return token }

func FuzzToken(f *testing.F) {
	f.Add("AQ")
	f.Add(must(tokenScopes.token(rest{now: 5, positions: []position{{keys: []string{"a", "b"}, cursor: "c"}, {}}})))
	f.Fuzz(func(t *testing.T, token string) {
		r, err := tokenScopes.parse(token, 2)
		if err != nil {
			return
		}
		again, ok := tokenScopes.token(r)
		if got, err := tokenScopes.parse(again, 2); !ok || err != nil || !slices.EqualFunc(r.positions, got.positions, comparePositions) {
			t.Errorf("%+v became %+v, %v", r, got, err)
		}
	})
}

// TestTokenThatDoesNotFit begins earlier, says so, and leaves nothing out.
func TestTokenThatDoesNotFit(t *testing.T) {
	t.Parallel()
	run := func(pages int) *scheduler {
		f := &scheduler{query: &query{plan: &plan{}, scope: tokenScopes, now: time.Unix(5, 0)}, deepest: -1}
		for page := range pages {
			f.cursors = append(f.cursors, fmt.Sprintf("cursor-%06d", page))
		}
		return f
	}
	key := func(n int) string { return fmt.Sprintf("proj_%024d", n) }

	// Many failures below few projects: the projects as a whole.
	f := run(1)
	for n := range 6000 {
		f.left = append(f.left, position{keys: []string{key(n / 1000), fmt.Sprintf("user-%024d", n)}})
	}
	got, err := tokenScopes.parse(f.token(f.remaining()), 2)
	if err != nil || !f.report.repeats || len(got.positions) != 6 {
		t.Errorf("%d positions, repeats %t, %v", len(got.positions), f.report.repeats, err)
	}

	// Many failed projects: those that fit, and the list from a page on.
	f = run(100)
	for n := range 10_000 {
		f.left = append(f.left, position{keys: []string{key(n)}, page: n / 100})
	}
	got, err = tokenScopes.parse(f.token(f.remaining()), 2)
	if err != nil || !f.report.repeats {
		t.Fatalf("repeats %t, %v", f.report.repeats, err)
	}
	last := got.positions[len(got.positions)-1]
	var page int
	if _, err := fmt.Sscanf(last.cursor, "cursor-%d", &page); err != nil || len(last.keys) > 0 || page < 5 || len(got.positions) != page*100+1 {
		t.Errorf("%d positions, and then the list from %q: %v", len(got.positions), last.cursor, err)
	}

	// So many that another token had named that they are not in the list's pages.
	f = run(0)
	for n := range 10_000 {
		f.left = append(f.left, position{keys: []string{key(n)}, page: -1})
	}
	got, err = tokenScopes.parse(f.token(f.remaining()), 2)
	if err != nil || !f.report.repeats || len(got.positions) != 1 || len(got.positions[0].keys) > 0 {
		t.Errorf("%d positions, repeats %t, %v", len(got.positions), f.report.repeats, err)
	}
}

// TestRemainingNamesPagesByTheList: pages of which nothing was begun are not
// named item by item.
func TestRemainingNamesPagesByTheList(t *testing.T) {
	t.Parallel()
	f := &scheduler{query: &query{plan: &plan{}}, deepest: 1, cursors: []string{"", "a", "b", "c"}}
	f.left = []position{{keys: []string{"failed"}, page: 0}, {cursor: "d"}}
	for page, name := range []string{"", "1", "2", "3"} {
		if name != "" {
			f.queue = append(f.queue, position{keys: []string{name}, page: page})
		}
	}
	want := []position{{keys: []string{"failed"}}, {keys: []string{"1"}}, {cursor: "b"}}
	if got := f.remaining(); !slices.EqualFunc(want, got, comparePositions) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestCutsAreTheRange: pieces follow each other without a gap, none is longer
// than a call can answer, and no bucket is in two of them.
func TestCutsAreTheRange(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := &bucketCall{most: map[adminv1.UsageBucketWidth]int64{aDay: rapid.SampledFrom([]int64{31, 180}).Draw(t, "most")}}
		start := rapid.Int64Range(0, 4_000_000_000).Draw(t, "start")
		end := start + rapid.Int64Range(1, 400_000_000).Draw(t, "length")
		c, err := b.cut(start, end, aDay)
		if err != nil {
			t.Fatal(err)
		}
		at := start
		for n := range c.count() {
			from, to := c.piece(n)
			if from != at || to <= from || n > 0 && from%c.width != 0 || (c.ceil(to)-c.floor(from))/c.width > c.each {
				t.Fatalf("piece %d of [%d, %d) is [%d, %d), after %d", n, start, end, from, to, at)
			}
			at = to
		}
		if at != end {
			t.Fatalf("[%d, %d) ends at %d", start, end, at)
		}
	})
}
