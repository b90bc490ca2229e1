package pages

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// read walks to the end and returns the ids and the error.
func read(seq iter.Seq2[message, error]) (ids []string, end error) {
	for item, err := range seq {
		if err != nil {
			if end != nil || item != nil {
				return ids, fmt.Errorf("a second error, or an item beside one: %w", err)
			}
			end = err
			continue
		}
		ids = append(ids, id(item))
	}
	return ids, end
}

// script answers from a table; a cursor that is not in it fails the test.
func script(t *testing.T, replies map[string]reply) func(string) (reply, error) {
	t.Helper()
	return func(cursor string) (reply, error) {
		r, ok := replies[cursor]
		if !ok {
			t.Errorf("asked for cursor %q, which no page named", cursor)
		}
		return r, nil
	}
}

func each(t *testing.T, test func(t *testing.T, ts types, st style)) {
	t.Helper()
	ts := compile(t)
	for _, st := range styles() {
		t.Run(fmt.Sprintf("%s-%s", st.request, st.response), func(t *testing.T) {
			t.Parallel()
			test(t, ts, st)
		})
	}
}

func TestWalkServesEveryStyle(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, ts types, st style) {
		s := &server{types: ts, style: st, answer: script(t, map[string]reply{
			"":  {ids: []string{"a", "b"}, more: true, next: "b"},
			"b": {ids: []string{"c"}, more: true, next: "c"},
			"c": {ids: []string{"d"}},
		})}
		seq := Walk[message](t.Context(), s.list, ts.new(st.request))
		for range 2 { // Ranging again is a walk of its own.
			ids, err := read(seq)
			if diff := cmp.Diff([]string{"a", "b", "c", "d"}, ids); err != nil || diff != "" {
				t.Errorf("error %v, items %s", err, diff)
			}
		}
		if diff := cmp.Diff([]string{"", "b", "c", "", "b", "c"}, s.asked); diff != "" {
			t.Errorf("cursors asked for: %s", diff)
		}
	})
}

func TestWalkEndsWhereTheListDoes(t *testing.T) {
	t.Parallel()
	ts := compile(t)
	for name, last := range map[string]reply{
		"an empty list":                   {},
		"a last page with its last_id":    {ids: []string{"a"}, next: "a"},
		"a last page without its last_id": {ids: []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &server{types: ts, style: styles()[0], answer: script(t, map[string]reply{"": last})}
			ids, err := read(Walk[message](t.Context(), s.list, ts.new("AfterRequest"), MaxPages(1)))
			if diff := cmp.Diff(last.ids, ids); err != nil || diff != "" {
				t.Errorf("error %v, items %s", err, diff)
			}
		})
	}
}

func TestWalkStartsWhereTheRequestSays(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, ts types, st style) {
		s := &server{types: ts, style: st, answer: script(t, map[string]reply{
			"b": {ids: []string{"c"}, more: true, next: "c"},
			"c": {ids: []string{"d"}},
		})}
		req := with(ts.new(st.request), st.cursor, "b")
		before := proto.CloneOf(req)
		seq := Walk[message](t.Context(), s.list, req)
		if !proto.Equal(before, req) {
			t.Errorf("the request became %v", req)
		}
		with(req, st.cursor, "elsewhere") // Too late to change anything.
		ids, err := read(seq)
		if diff := cmp.Diff([]string{"c", "d"}, ids); err != nil || diff != "" {
			t.Errorf("error %v, items %s", err, diff)
		}
	})
}

func TestWalkEndsWithAnErrorWhereTheServerDoesNotEnd(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		replies map[string]reply
		start   string
		ids     string
		want    EndlessError
	}{
		"the cursor it was asked for": {
			replies: map[string]reply{
				"":  {ids: []string{"a"}, more: true, next: "a"},
				"a": {ids: []string{"b"}, more: true, next: "a"},
			},
			ids: "ab", want: EndlessError{Reason: SameCursor, Pages: 2},
		},
		"the cursor that the caller started from": {
			replies: map[string]reply{"a": {ids: []string{"b"}, more: true, next: "a"}},
			start:   "a", ids: "b", want: EndlessError{Reason: SameCursor, Pages: 1},
		},
		"back to where the caller started from": {
			replies: map[string]reply{
				"a": {ids: []string{"1"}, more: true, next: "b"},
				"b": {ids: []string{"2"}, more: true, next: "a"},
			},
			start: "a", ids: "12", want: EndlessError{Reason: Cycle, Pages: 2},
		},
		"two cursors in turn": {
			replies: map[string]reply{
				"":  {ids: []string{"1"}, more: true, next: "a"},
				"a": {ids: []string{"2"}, more: true, next: "b"},
				"b": {ids: []string{"3"}, more: true, next: "a"},
			},
			ids: "123", want: EndlessError{Reason: Cycle, Pages: 3},
		},
		"a cycle after a way in": {
			replies: map[string]reply{
				"":  {ids: []string{"1"}, more: true, next: "a"},
				"a": {ids: []string{"2"}, more: true, next: "b"},
				"b": {ids: []string{"3"}, more: true, next: "c"},
				"c": {ids: []string{"4"}, more: true, next: "d"},
				"d": {ids: []string{"5"}, more: true, next: "b"},
			},
			ids: "12345", want: EndlessError{Reason: Cycle, Pages: 5},
		},
		"no items and a cursor": {
			replies: map[string]reply{
				"":  {ids: []string{"1"}, more: true, next: "a"},
				"a": {more: true, next: "b"},
			},
			ids: "1", want: EndlessError{Reason: EmptyPage, Pages: 2},
		},
		"more, but no cursor": {
			replies: map[string]reply{"": {ids: []string{"1"}, more: true}},
			ids:     "1", want: EndlessError{Reason: NoCursor, Pages: 1},
		},
	}
	each(t, func(t *testing.T, ts types, st style) {
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := &server{types: ts, style: st, answer: script(t, test.replies)}
				req := ts.new(st.request)
				if test.start != "" {
					with(req, st.cursor, test.start)
				}
				ids, err := read(Walk[message](t.Context(), s.list, req))
				if got := strings.Join(ids, ""); got != test.ids {
					t.Errorf("items %q before the error, want %q", got, test.ids)
				}
				checkEndless(t, err, test.want, st)
			})
		}
	})
}

func checkEndless(t *testing.T, err error, want EndlessError, st style) {
	t.Helper()
	want.Response = protoreflect.FullName("test").Append(st.response)
	got, ok := errors.AsType[*EndlessError](err)
	if !ok {
		t.Fatalf("error %v, want %v", err, &want)
	}
	if diff := cmp.Diff(want, *got); diff != "" {
		t.Error(diff)
	}
}

func TestWalkRefusesAnEndThatNamesANextPage(t *testing.T) {
	t.Parallel()
	ts := compile(t)
	for _, st := range styles()[2:] {
		s := &server{types: ts, style: st, answer: script(t, map[string]reply{"": {ids: []string{"1"}, next: "a"}})}
		_, err := read(Walk[message](t.Context(), s.list, ts.new(st.request)))
		checkEndless(t, err, EndlessError{Reason: Contradiction, Pages: 1}, st)
	}
}

func TestWalkStopsAtThePageCap(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, ts types, st style) {
		for _, test := range []struct {
			opts []Option
			want int
		}{
			{nil, DefaultMaxPages},
			{[]Option{MaxPages(7)}, 7},
			{[]Option{MaxPages(0)}, 1},
		} {
			pages := 0
			s := &server{types: ts, style: st, answer: func(string) (reply, error) {
				pages++
				return reply{ids: []string{"x"}, more: true, next: fmt.Sprint(pages)}, nil
			}}
			ids, err := read(Walk[message](t.Context(), s.list, ts.new(st.request), test.opts...))
			if len(ids) != test.want || pages != test.want {
				t.Errorf("%d items of %d pages, want %d", len(ids), pages, test.want)
			}
			checkEndless(t, err, EndlessError{Reason: PageCap, Pages: test.want}, st)
		}
	})
}

func TestWalkPassesTheCallsErrorOn(t *testing.T) {
	t.Parallel()
	ts, st := compile(t), styles()[0]
	broken := errors.New("broken")
	s := &server{types: ts, style: st, answer: func(cursor string) (reply, error) {
		if cursor == "a" {
			return reply{}, broken
		}
		return reply{ids: []string{"a"}, more: true, next: "a"}, nil
	}}
	seq := Walk[message](t.Context(), s.list, ts.new(st.request))
	ids, err := read(seq)
	if !cmp.Equal([]string{"a"}, ids) || err != broken { //nolint:errorlint // As it is, not wrapped.
		t.Errorf("items %q, error %v", ids, err)
	}
	if all, err := Collect(seq); all != nil || !errors.Is(err, broken) {
		t.Errorf("Collect gave %d items of a list that broke off, error %v", len(all), err)
	}
}

func TestWalkStopsWhenTheLoopIsLeft(t *testing.T) {
	t.Parallel()
	ts, st := compile(t), styles()[0]
	s := &server{types: ts, style: st, answer: script(t, map[string]reply{
		"": {ids: []string{"a", "b"}, more: true, next: "b"},
	})}
	for _, err := range Walk[message](t.Context(), s.list, ts.new(st.request)) {
		if err != nil {
			t.Error(err)
		}
		break
	}
	for item, err := range Walk[message](t.Context(), s.list, ts.new(st.request)) {
		if err != nil {
			t.Fatal(err)
		}
		if id(item) == "b" { // The last of its page: the next call must not be made.
			break
		}
	}
	if len(s.asked) != 2 {
		t.Errorf("%d calls by two walks that were left on their first page", len(s.asked))
	}
}

func TestWalkStopsWhenTheContextEnds(t *testing.T) {
	t.Parallel()
	ts, st := compile(t), styles()[0]
	s := &server{types: ts, style: st, answer: script(t, map[string]reply{
		"": {ids: []string{"a", "b"}, more: true, next: "b"},
	})}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var end error
	for _, err := range Walk[message](ctx, s.list, ts.new(st.request)) {
		cancel()
		end = err
	}
	if !errors.Is(end, context.Canceled) || len(s.asked) != 1 {
		t.Errorf("error %v after %d calls", end, len(s.asked))
	}
}

func TestWalkRefusesWhatIsNoList(t *testing.T) {
	t.Parallel()
	ts := compile(t)
	answering := func(m message) func(context.Context, message) (message, error) {
		return func(context.Context, message) (message, error) { return m, nil }
	}
	never := func(context.Context, message) (message, error) {
		t.Error("a call was made")
		return nil, nil
	}
	for name, test := range map[string]struct {
		call func(context.Context, message) (message, error)
		req  message
		want UnsupportedError
	}{
		"nil request":        {never, nil, UnsupportedError{"", "is nil"}},
		"request, no cursor": {never, ts.new("NoCursorRequest"), UnsupportedError{"test.NoCursorRequest", "`after` or `page`"}},
		"request, two":       {never, ts.new("TwoCursorRequest"), UnsupportedError{"test.TwoCursorRequest", "both"}},
		"backwards":          {never, with(ts.new("AfterRequest"), "before", "x"), UnsupportedError{"test.AfterRequest", "`before`"}},
		"nil response":       {answering(nil), ts.new("AfterRequest"), UnsupportedError{"", "neither"}},
		"no data":            {answering(ts.new("NoData")), ts.new("AfterRequest"), UnsupportedError{"test.NoData", "`data`"}},
		"strings":            {answering(ts.new("StringData")), ts.new("AfterRequest"), UnsupportedError{"test.StringData", "`data`"}},
		"no has_more":        {answering(ts.new("NoMore")), ts.new("AfterRequest"), UnsupportedError{"test.NoMore", "`has_more`"}},
		"no next":            {answering(ts.new("NoNext")), ts.new("AfterRequest"), UnsupportedError{"test.NoNext", "`next`"}},
		"two nexts":          {answering(ts.new("TwoNext")), ts.new("AfterRequest"), UnsupportedError{"test.TwoNext", "both"}},
		"mixed styles":       {answering(ts.new("LastID")), ts.new("PageRequest"), UnsupportedError{"test.LastID", "`next_page`"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ids, err := read(Walk[message](t.Context(), test.call, test.req))
			got, ok := errors.AsType[*UnsupportedError](err)
			if !ok || len(ids) != 0 {
				t.Fatalf("items %q, error %v", ids, err)
			}
			contains := cmp.Comparer(func(a, b string) bool { return strings.Contains(a, b) || strings.Contains(b, a) })
			if diff := cmp.Diff(test.want, *got, cmpopts.IgnoreFields(UnsupportedError{}, "Message"), contains); diff != "" || got.Message != test.want.Message {
				t.Errorf("%v: %s", got, diff)
			}
		})
	}
}
