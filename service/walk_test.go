package service_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/pages"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

// TestWalksThroughADoor walks every list of the upstream to its end: the items are
// those that the sandbox has, each once, and a list that has no end is an error.
func TestWalksThroughADoor(t *testing.T) {
	t.Parallel()
	gw := newTourGateway(t, sandbox.Options{})
	lists := 0
	for _, s := range readTour(t, gw.Catalog) {
		response := s.method.Response.Descriptor()
		if response.Fields().ByName("has_more") == nil || strings.Contains(s.request, "$") {
			continue // A list in a project or group needs its id; the style is the same.
		}
		lists++
		request := s.message(t, nil)
		all, err := walk(t, gw, s.method, request)
		if err != nil || len(all) == 0 {
			t.Errorf("%s: %d items, %v", s.method.ShortName(), len(all), err)
			continue
		}
		// One item a page must come to the same.
		small := proto.Clone(request)
		limit := small.ProtoReflect().Descriptor().Fields().ByName("limit")
		small.ProtoReflect().Set(limit, protoreflect.ValueOfInt32(max(int32(len(all))/4, 1)))
		again, err := walk(t, gw, s.method, small)
		if err != nil || len(again) != len(all) {
			t.Errorf("%s: %d items in small pages, %d in large ones, %v", s.method.ShortName(), len(again), len(all), err)
			continue
		}
		for i := range all {
			if !proto.Equal(all[i], again[i]) {
				t.Errorf("%s: item %d differs between small and large pages", s.method.ShortName(), i)
				break
			}
		}
		for _, variant := range []string{"same_cursor", "cycle", "empty_page", "null_cursor", "new_cursor"} {
			remove := gw.Sandbox.Inject(sandbox.Fault{Op: s.method.Endpoint.String(), Kind: sandbox.Endless, Variant: variant})
			_, err := walk(t, gw, s.method, small)
			remove()
			if variant == "null_cursor" && connect.CodeOf(err) == connect.CodeUnavailable {
				continue // The cursor is the id of an item, and an item without one refuses the page.
			}
			if _, endless := errors.AsType[*pages.EndlessError](err); !endless {
				t.Errorf("%s with %s: %v, want an *EndlessError", s.method.ShortName(), variant, err)
			}
		}
	}
	if lists < 15 {
		t.Errorf("walked %d lists only", lists)
	}
}

// walk collects a list over gRPC.
func walk(t *testing.T, gw *tourGateway, method *catalog.Method, request proto.Message) ([]proto.Message, error) {
	t.Helper()
	return pages.Collect(pages.Walk[proto.Message](t.Context(), func(ctx context.Context, request proto.Message) (proto.Message, error) {
		response := method.Response.New().Interface()
		return response, gw.call(ctx, doors[0], method, request, response)
	}, request, pages.MaxPages(10)))
}
