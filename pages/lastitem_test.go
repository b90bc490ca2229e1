package pages

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestWalkFollowsTheLastItem: where a list's pages name no cursor, the id of the
// last item is one, and the walk ends like any other.
func TestWalkFollowsTheLastItem(t *testing.T) {
	t.Parallel()
	ts := compile(t)
	for name, test := range map[string]struct {
		pages  map[string]reply
		ids    []string
		reason Reason
	}{
		"to the end": {map[string]reply{
			"": {ids: []string{"a", "b"}, more: true}, "b": {ids: []string{"c", "d"}, more: true}, "d": {ids: []string{"e"}},
		}, []string{"a", "b", "c", "d", "e"}, ""},
		"one page":      {map[string]reply{"": {ids: []string{"a"}}}, []string{"a"}, ""},
		"nothing":       {map[string]reply{"": {}}, nil, ""},
		"an empty page": {map[string]reply{"": {ids: []string{"a"}, more: true}, "a": {more: true}}, []string{"a"}, EmptyPage},
		"the same page": {map[string]reply{"": {ids: []string{"a"}, more: true}, "a": {ids: []string{"a"}, more: true}}, []string{"a", "a"}, SameCursor},
		"a cycle": {map[string]reply{
			"": {ids: []string{"a"}, more: true}, "a": {ids: []string{"b"}, more: true}, "b": {ids: []string{"a"}, more: true},
		}, []string{"a", "b", "a"}, Cycle},
		"an item without an id": {map[string]reply{"": {ids: []string{""}, more: true}}, []string{""}, NoCursor},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &server{types: ts, style: style{request: "AfterRequest", cursor: "after", response: "LastItem"}}
			s.answer = func(cursor string) (reply, error) { return test.pages[cursor], nil }
			ids, err := read(Walk[message](t.Context(), s.list, ts.new("AfterRequest")))
			if diff := cmp.Diff(test.ids, ids); diff != "" {
				t.Error(diff)
			}
			endless, ok := errors.AsType[*EndlessError](err)
			if ok != (test.reason != "") || ok && endless.Reason != test.reason || !ok && err != nil {
				t.Errorf("error %v, want %q", err, test.reason)
			}
		})
	}
}
