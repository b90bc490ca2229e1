package pages

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
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

// TestWalkWithoutAPromisedCursor: a list whose pages may name a cursor, and need not,
// is walked by either; one that promises it has to have it.
func TestWalkWithoutAPromisedCursor(t *testing.T) {
	t.Parallel()
	keys := []*adminv1.ExternalKey{{Id: "a"}, {Id: "b"}, {Id: "c"}}
	list := func(named bool) func(context.Context, *adminv1.ListExternalKeysRequest) (*adminv1.ListExternalKeysResponse, error) {
		return func(_ context.Context, req *adminv1.ListExternalKeysRequest) (*adminv1.ListExternalKeysResponse, error) {
			at := slices.IndexFunc(keys, func(k *adminv1.ExternalKey) bool { return k.GetId() == req.GetAfter() }) + 1
			page := &adminv1.ListExternalKeysResponse{Data: keys[at : at+1], HasMore: at+1 < len(keys)}
			if named {
				page.LastId = proto.String(keys[at].GetId())
			}
			return page, nil
		}
	}
	for _, named := range []bool{true, false} {
		got, err := Collect(Walk[*adminv1.ExternalKey](t.Context(), list(named), &adminv1.ListExternalKeysRequest{}))
		if err != nil || len(got) != len(keys) {
			t.Errorf("pages that name a cursor (%t): %d keys, %v", named, len(got), err)
		}
	}
	promised := func(context.Context, *adminv1.ListProjectsRequest) (*adminv1.ListProjectsResponse, error) {
		return &adminv1.ListProjectsResponse{Data: []*adminv1.Project{{Id: "a"}}, HasMore: true}, nil
	}
	_, err := Collect(Walk[*adminv1.Project](t.Context(), promised, &adminv1.ListProjectsRequest{}))
	if endless, ok := errors.AsType[*EndlessError](err); !ok || endless.Reason != NoCursor {
		t.Errorf("a list that promises a cursor, without one: %v", err)
	}
}
