package pages

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// byHand walks a list page by page, as a program does that cannot leave it to Walk.
func byHand(ctx context.Context, s *server, req message, maxPages int) (ids []string, end error) {
	list, err := ListOf(req.Descriptor(), s.new(s.response).Descriptor())
	if err != nil {
		return nil, err
	}
	cursor := req.Get(list.Cursor()).String()
	trail := list.Trail(cursor, maxPages)
	for {
		res, err := s.list(ctx, with(req, list.Cursor().Name(), cursor))
		if err != nil {
			return ids, err
		}
		items := res.Get(list.Items()).List()
		for i := range items.Len() {
			ids = append(ids, id(items.Get(i).Message().Interface()))
		}
		if cursor, err = trail.Next(res); err != nil || cursor == "" {
			return ids, err
		}
	}
}

// TestTrailIsWalk: whatever a server says, a walk by hand comes to the same as
// Walk, item for item and error for error.
func TestTrailIsWalk(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, ts types, st style) {
		cursors := []string{"", "a", "b"}
		for n := range 9 * 9 * 9 { // Each of the three cursors has one of nine pages.
			table := make(map[string]reply)
			for i, choice := 0, n; i < len(cursors); i, choice = i+1, choice/9 {
				r := reply{ids: []string{fmt.Sprint(i)}, more: choice%3 > 0, next: cursors[choice/3%3]}
				if choice%9 == 8 {
					r.ids = nil
				}
				table[cursors[i]] = r
			}
			for _, maxPages := range []int{1, 2, 10} {
				s := &server{types: ts, style: st, answer: func(cursor string) (reply, error) { return table[cursor], nil }}
				want, wantEnd := read(Walk[message](t.Context(), s.list, ts.new(st.request), MaxPages(maxPages)))
				got, gotEnd := byHand(t.Context(), s, ts.new(st.request), maxPages)
				if diff := cmp.Diff(want, got); diff != "" || fmt.Sprint(wantEnd) != fmt.Sprint(gotEnd) {
					t.Fatalf("%v: %v, want %v: %s", table, gotEnd, wantEnd, diff)
				}
			}
		}
	})
}

func TestListOfRefusesWhatIsNoList(t *testing.T) {
	t.Parallel()
	ts := compile(t)
	for _, pair := range [][2]protoreflect.Name{{"NoCursorRequest", "LastID"}, {"AfterRequest", "NoData"}, {"PageRequest", "LastID"}} {
		_, err := ListOf(ts.file.Messages().ByName(pair[0]), ts.file.Messages().ByName(pair[1]))
		if _, ok := errors.AsType[*UnsupportedError](err); !ok || !strings.Contains(err.Error(), "has no") {
			t.Errorf("%s: %v", pair, err)
		}
	}
}
