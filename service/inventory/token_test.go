package inventory

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
)

var tokenScopes = tokenScope{"caller", "/p.S/M", []byte("request"), [][]byte{[]byte("new key"), []byte("old key")}}

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
		token := tokenScopes.token(r)
		if len(token) > maxToken {
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

// TestTokenBodiesAreBounded, though only a gateway can make one.
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
		token := tokenScopes.token(r)
		if got, err := tokenScopes.parse(token, 2); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got, err := tokenScopes.parse(tokenScopes.token(at("x", strings.Repeat("y", maxKey), "b")), 2); err != nil {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestTokensHaveKeys: a token is good with any of the keys, and with no other one.
func TestTokensHaveKeys(t *testing.T) {
	t.Parallel()
	r := rest{now: 5, positions: []position{{keys: []string{"a"}}}}
	with := func(keys ...string) tokenScope {
		s := tokenScopes
		s.keys = nil
		for _, key := range keys {
			s.keys = append(s.keys, []byte(key))
		}
		return s
	}
	for _, test := range []struct {
		made, read tokenScope
		good       bool
	}{
		{with("one"), with("one"), true}, {with("one"), with("two", "one"), true}, {with("two", "one"), with("two"), true},
		{with("one"), with("two"), false}, {with("one", "two"), with("two"), false}, {with(""), with("one"), false},
	} {
		if _, err := test.read.parse(test.made.token(r), 2); (err == nil) != test.good {
			t.Errorf("made with %q, read with %q: %v", test.made.keys, test.read.keys, err)
		}
	}
	// The texts of two scopes differ, also where their parts would run together.
	a, b := tokenScopes, tokenScopes
	a.caller, a.procedure, b.caller, b.procedure = "ab", "c", "a", "bc"
	if _, err := b.parse(a.token(r), 2); err == nil {
		t.Error("a token of another scope was read")
	}
}

// TestTokensBelongToTheirScope: to all of it.
func TestTokensBelongToTheirScope(t *testing.T) {
	t.Parallel()
	token := tokenScopes.token(rest{now: 5, positions: []position{{keys: []string{"a"}}}})
	for name, change := range map[string]func(*tokenScope){
		"caller":  func(s *tokenScope) { s.caller = "other" },
		"RPC":     func(s *tokenScope) { s.procedure = "/p.S/Other" },
		"request": func(s *tokenScope) { s.request = []byte("other") },
	} {
		scope := tokenScopes
		change(&scope)
		if _, err := scope.parse(token, 2); err == nil {
			t.Errorf("a token of another %s was read", name)
		}
	}
}

// TestForgedTokensAreNotRead: what has no code costs the reading of its text, and as
// much memory as that.
func TestForgedTokensAreNotRead(t *testing.T) { //nolint:paralleltest // It counts allocations of the process.
	var r rest
	for range 9_000 {
		r.positions = append(r.positions, position{keys: []string{"a"}})
	}
	strange := tokenScopes
	strange.keys = [][]byte{[]byte("strange")}
	token := strange.token(r)
	if len(token) < maxToken/2 || len(token) > maxToken {
		t.Fatalf("a token of %d", len(token))
	}
	if n := testing.AllocsPerRun(10, func() {
		if _, err := tokenScopes.parse(token, 2); err == nil {
			t.Error("it was read")
		}
	}); n > 40 {
		t.Errorf("%.0f allocations", n)
	}
}

func FuzzToken(f *testing.F) {
	f.Add("AQ", []byte{})
	f.Add(tokenScopes.token(rest{now: 5, positions: []position{{keys: []string{"a", "b"}, cursor: "c"}, {}}}), rest{now: 5, positions: []position{{cursor: "c"}}}.appendBody(nil))
	f.Fuzz(func(t *testing.T, token string, body []byte) {
		_, _ = tokenScopes.parse(token, 2) // It does not panic.
		// A body of anybody's, as if a gateway had made it.
		raw := append(append([]byte{tokenVersion}, tokenScopes.code(tokenScopes.keys[1], body)...), body...)
		r, err := tokenScopes.parse(base64.RawURLEncoding.EncodeToString(raw), 2)
		if err != nil {
			return
		}
		for _, p := range r.positions {
			if len(p.keys) > 2 || len(p.cursor) > maxCursor || slices.ContainsFunc(p.keys, func(key string) bool { return key == "" || len(key) > maxKey }) {
				t.Errorf("a position beyond the bounds: %+v", p)
			}
		}
		if got, err := tokenScopes.parse(tokenScopes.token(r), 2); err != nil || !slices.EqualFunc(r.positions, got.positions, comparePositions) {
			t.Errorf("%+v became %+v, %v", r, got, err)
		}
	})
}

// stopped is a scheduler that went through pages of the outermost list.
func stopped(pages int) *scheduler {
	s := newScheduler(&query{plan: &plan{}, scope: tokenScopes, now: time.Unix(5, 0)})
	for page := range pages {
		s.cursors = append(s.cursors, fmt.Sprintf("cursor-%06d", page))
	}
	s.deepest = pages
	return s
}

// TestTokenThatDoesNotFit begins earlier, says so, and leaves nothing out.
func TestTokenThatDoesNotFit(t *testing.T) {
	t.Parallel()
	key := func(n int) string { return fmt.Sprintf("proj_%024d", n) }
	rest := func(s *scheduler) []position {
		t.Helper()
		left, repeats := s.remaining()
		token := s.scope.token(rest{5, left})
		got, err := s.scope.parse(token, 2)
		if err != nil || !repeats {
			t.Errorf("repeats %t, a token of %d, %v", repeats, len(token), err)
		}
		return got.positions
	}

	// Many failures below few projects: the projects as a whole.
	s := stopped(1)
	for n := range 6000 {
		s.left.add(position{keys: []string{key(n / 1000), fmt.Sprintf("user-%024d", n)}})
	}
	got := rest(s)
	whole := 0
	for _, p := range got {
		if len(p.keys) == 1 {
			whole++
		}
	}
	if whole < 5 || len(got) > 2000 {
		t.Errorf("%d positions, %d of whole projects", len(got), whole)
	}

	// Many failed projects: those that fit, and the list from a page on.
	s = stopped(100)
	for n := range 10_000 {
		s.left.add(position{keys: []string{key(n)}, page: n / 100})
	}
	got = rest(s)
	last := got[len(got)-1]
	var page int
	if _, err := fmt.Sscanf(last.cursor, "cursor-%d", &page); err != nil || len(last.keys) > 0 || page < 5 || len(got) != page*100+1 {
		t.Errorf("%d positions, and then the list from %q: %v", len(got), last.cursor, err)
	}

	// So many that another token had named that they are not in the list's pages.
	s = stopped(0)
	for n := range 10_000 {
		s.left.add(position{keys: []string{key(n)}, page: -1})
	}
	if got = rest(s); len(got) != 1 || len(got[0].keys) > 0 || got[0].cursor != "" {
		t.Errorf("%d positions", len(got))
	}
}

// TestWhatIsLeftIsBounded: whatever fails, a stream remembers no more of it than a token
// can name, and leaves nothing out.
func TestWhatIsLeftIsBounded(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := stopped(60)
		type item struct {
			page int
			key  string
		}
		var failed []item
		for range rapid.IntRange(0, 60).Draw(t, "walks") {
			page, depth := rapid.IntRange(0, 59).Draw(t, "page"), rapid.IntRange(1, 2).Draw(t, "depth")
			for range rapid.IntRange(1, 400).Draw(t, "failures") {
				i := item{page, fmt.Sprintf("p%d-%d", page, len(failed)%100)}
				failed = append(failed, i)
				s.left.add(position{keys: []string{i.key, fmt.Sprintf("%0100d", len(failed))}[:depth], page: page})
			}
			if s.left.size > maxNamed {
				t.Fatalf("%d bytes are left", s.left.size)
			}
		}
		positions, _ := s.remaining()
		if n := len(s.scope.token(rest{5, positions})); n > maxToken {
			t.Fatalf("a token of %d", n)
		}
		named, from := make(map[string]bool), nowhere
		for _, p := range positions {
			if len(p.keys) > 0 {
				named[p.keys[0]] = true
			} else if _, err := fmt.Sscanf(p.cursor, "cursor-%d", &from); err != nil {
				t.Fatal(err)
			}
		}
		for _, i := range failed {
			if !named[i.key] && i.page < from {
				t.Fatalf("%v is in none of %d positions, and the list goes on from page %d", i, len(positions), from)
			}
		}
	})
}

// TestRemainingNamesPagesByTheList: pages of which nothing was begun are not
// named item by item.
func TestRemainingNamesPagesByTheList(t *testing.T) {
	t.Parallel()
	f := newScheduler(&query{plan: &plan{}})
	f.deepest, f.cursors = 1, []string{"", "a", "b", "c"}
	f.left.add(position{keys: []string{"failed"}, page: 0}, position{cursor: "d"})
	for page, name := range []string{"", "1", "2", "3"} {
		if name != "" {
			f.queue = append(f.queue, position{keys: []string{name}, page: page})
		}
	}
	want := []position{{keys: []string{"failed"}}, {keys: []string{"1"}}, {cursor: "b"}}
	if got, _ := f.remaining(); !slices.EqualFunc(want, got, comparePositions) {
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
