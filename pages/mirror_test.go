package pages

import (
	"context"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
)

// Every list of the mirror can be walked: a response with `has_more` is of one of the
// three styles, and a request with a cursor has a response with one.
func TestEveryListOfTheMirrorIsOfAStyle(t *testing.T) {
	t.Parallel()
	found := map[string]int{}
	protoregistry.GlobalFiles.RangeFilesByPackage("admingateway.admin.v1", func(fd protoreflect.FileDescriptor) bool {
		for i := range fd.Services().Len() {
			methods := fd.Services().Get(i).Methods()
			for j := range methods.Len() {
				md := methods.Get(j)
				f, err := forwardOf(md.Input())
				if err != nil && md.Output().Fields().ByName("has_more") == nil {
					continue
				}
				if err != nil {
					t.Errorf("%s: %v", md.FullName(), err)
					continue
				}
				p, err := pageOf(md.Output(), f)
				if err != nil {
					t.Errorf("%s: %v", md.FullName(), err)
					continue
				}
				found[fmt.Sprintf("%s from %s", f.cursor.Name(), p.next.Name())]++
			}
		}
		return true
	})
	for _, style := range []string{"after from last_id", "after from next", "page from next_page"} {
		if found[style] == 0 {
			t.Errorf("no list is of the style %q; found %v", style, found)
		}
	}
	t.Logf("%v", found)
}

// With the generated types nothing has to be written but the item's.
func TestWalkOverGeneratedTypes(t *testing.T) {
	t.Parallel()

	groups, err := Collect(Walk[*adminv1.Group](t.Context(),
		func(_ context.Context, req *adminv1.ListGroupsRequest) (*adminv1.ListGroupsResponse, error) {
			if req.GetAfter() == "" {
				return &adminv1.ListGroupsResponse{Data: []*adminv1.Group{{Id: "a"}}, HasMore: true, Next: proto.String("a")}, nil
			}
			return &adminv1.ListGroupsResponse{Data: []*adminv1.Group{{Id: "b"}}}, nil
		}, &adminv1.ListGroupsRequest{}))
	if err != nil || len(groups) != 2 {
		t.Errorf("%d groups, error %v", len(groups), err)
	}

	type bucket = adminv1.CompletionsUsageBucket
	buckets, err := Collect(Walk[*bucket](t.Context(),
		func(_ context.Context, req *adminv1.ListCompletionsUsageRequest) (*adminv1.ListCompletionsUsageResponse, error) {
			if req.GetPage() == "" {
				return &adminv1.ListCompletionsUsageResponse{Data: []*bucket{{}}, HasMore: true, NextPage: proto.String("a")}, nil
			}
			return &adminv1.ListCompletionsUsageResponse{Data: []*bucket{{}}}, nil
		}, &adminv1.ListCompletionsUsageRequest{}))
	if err != nil || len(buckets) != 2 {
		t.Errorf("%d buckets, error %v", len(buckets), err)
	}

	// The wrong item type is a mistake that the compiler cannot see.
	_, err = Collect(Walk[*adminv1.Project](t.Context(),
		func(context.Context, *adminv1.ListGroupsRequest) (*adminv1.ListGroupsResponse, error) {
			return &adminv1.ListGroupsResponse{Data: []*adminv1.Group{{}}}, nil
		}, &adminv1.ListGroupsRequest{}))
	if want := "pages: admingateway.admin.v1.ListGroupsResponse has items of type admingateway.admin.v1.Group, not *adminv1.Project"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}
