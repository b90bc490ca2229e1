package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"github.com/admin-gateway/admin-gateway/client"
	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	"github.com/admin-gateway/admin-gateway/pages"
)

// reader stands for a gateway whose caller may read.
type reader struct {
	adminv1connect.UnimplementedProjectServiceHandler
}

func (reader) ListProjects(context.Context, *adminv1.ListProjectsRequest) (*adminv1.ListProjectsResponse, error) {
	return &adminv1.ListProjectsResponse{Data: []*adminv1.Project{{Id: "proj_a"}, {Id: "proj_b"}}}, nil
}

func (reader) CreateProject(context.Context, *adminv1.CreateProjectRequest) (*adminv1.CreateProjectResponse, error) {
	return nil, refusal(connect.CodePermissionDenied, "PERMISSION_DENIED",
		&errdetails.ErrorInfo{Reason: "PERMISSION_DENIED", Metadata: map[string]string{"permission": "projects.create"}})
}

// newReader starts it, on a loopback address without TLS.
func newReader() *httptest.Server {
	mux, server := http.NewServeMux(), connect.NewServer()
	adminv1connect.RegisterProjectServiceHandler(server, reader{})
	connecthttp.Mount(mux, server)
	s := httptest.NewUnstartedServer(mux)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	return s
}

func ExampleConnect() {
	server := newReader()
	defer server.Close()
	ctx := context.Background()

	gateway, err := client.Connect(server.URL, client.Token("agw_token"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = gateway.Close() }()

	projects := adminv1connect.NewProjectServiceClient(gateway.Client())
	for project, err := range pages.Walk[*adminv1.Project](ctx, projects.ListProjects, &adminv1.ListProjectsRequest{}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(project.GetId())
	}

	_, err = projects.CreateProject(ctx, &adminv1.CreateProjectRequest{Name: "mine"})
	if refused, ok := errors.AsType[*client.Error](err); ok && refused.Kind == client.PermissionDenied {
		fmt.Println("missing:", refused.Permission)
	}
	// Output:
	// proj_a
	// proj_b
	// missing: projects.create
}
