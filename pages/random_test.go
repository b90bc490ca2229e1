package pages

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// A server that answers at random (and the same to the same cursor) never makes
// a walk endless, and never makes it end short without an error.
func TestRandomServer(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, ts types, st style) {
		rapid.Check(t, func(t *rapid.T) {
			cursors := rapid.SampledFrom([]string{"", "a", "b", "c", "d", "e", "f", "g"})
			limit := rapid.IntRange(1, 12).Draw(t, "max pages")
			said := map[string]reply{}
			items := 0
			s := &server{types: ts, style: st}
			s.answer = func(cursor string) (reply, error) {
				if r, ok := said[cursor]; ok {
					return r, nil
				}
				var r reply
				for range rapid.IntRange(0, 3).Draw(t, "items") {
					items++
					r.ids = append(r.ids, fmt.Sprint(items))
				}
				r.more = rapid.IntRange(0, 4).Draw(t, "more") > 0
				r.next = cursors.Draw(t, "next")
				said[cursor] = r
				return r, nil
			}

			ids, err := read(Walk[message](t.Context(), s.list, ts.new(st.request), MaxPages(limit)))

			// Every item that was sent, in order, whatever the end.
			var sent []string
			for _, cursor := range s.asked {
				sent = append(sent, said[cursor].ids...)
			}
			if diff := cmp.Diff(sent, ids); diff != "" {
				t.Fatalf("items sent and yielded: %s", diff)
			}
			// No page twice, none beyond the cap.
			if len(s.asked) > limit || len(s.asked) != len(said) {
				t.Fatalf("%d calls for %d pages, at most %d", len(s.asked), len(said), limit)
			}
			// Without an error exactly when the last page is the list's last.
			last := said[s.asked[len(s.asked)-1]]
			whole := !last.more && (last.next == "" || st.next == "last_id")
			if whole != (err == nil) {
				t.Fatalf("last page %+v, error %v", last, err)
			}
			if _, ok := errors.AsType[*EndlessError](err); err != nil && !ok {
				t.Fatalf("error %v", err)
			}
		})
	})
}
