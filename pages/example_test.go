package pages_test

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/pages"
)

// client stands for adminv1connect.ProjectServiceClient. Its list has two pages
// and, when broken, a second page that names itself as the next.
type client struct{ broken bool }

func (c client) ListProjects(_ context.Context, req *adminv1.ListProjectsRequest) (*adminv1.ListProjectsResponse, error) {
	if req.GetAfter() == "" {
		return &adminv1.ListProjectsResponse{
			Data:    []*adminv1.Project{{Id: "proj_a"}, {Id: "proj_b"}},
			HasMore: true,
			LastId:  proto.String("proj_b"),
		}, nil
	}
	return &adminv1.ListProjectsResponse{
		Data:    []*adminv1.Project{{Id: "proj_c"}},
		HasMore: c.broken,
		LastId:  proto.String(req.GetAfter()),
	}, nil
}

func ExampleWalk() {
	ctx := context.Background()
	req := &adminv1.ListProjectsRequest{Limit: proto.Int32(2)}
	for project, err := range pages.Walk[*adminv1.Project](ctx, client{}.ListProjects, req) {
		if err != nil {
			fmt.Println("not the whole list:", err)
			return
		}
		fmt.Println(project.GetId())
	}
	// Output:
	// proj_a
	// proj_b
	// proj_c
}

func ExampleCollect() {
	ctx := context.Background()
	projects, err := pages.Collect(pages.Walk[*adminv1.Project](ctx, client{broken: true}.ListProjects, &adminv1.ListProjectsRequest{}))
	if endless, ok := errors.AsType[*pages.EndlessError](err); ok {
		fmt.Println(len(projects), "projects,", endless.Reason, "on page", endless.Pages)
	}
	// Output: 0 projects, same cursor on page 2
}
