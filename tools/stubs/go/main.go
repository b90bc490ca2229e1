// Command stubs calls the gateway with stubs that were generated from its schema.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"connectrpc.com/connect/v2/connectproto"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"

	adminv1 "stubs/gen/admingateway/admin/v1"
	"stubs/gen/admingateway/admin/v1/adminv1connect"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "go:", err)
		os.Exit(1)
	}
}

// run makes one call that is answered and two that are refused.
func run(ctx context.Context) error {
	client := &http.Client{Timeout: 10 * time.Second}
	transport := connecthttp.NewTransport(client, os.Getenv("GATEWAY")) // http://host:port
	projects := adminv1connect.NewProjectServiceClient(connect.NewClient(transport, authorize("Bearer "+os.Getenv("AUDITOR"))))

	page, err := projects.ListProjects(ctx, &adminv1.ListProjectsRequest{Limit: proto.Int32(3)})
	if err != nil {
		return err
	}
	names := make([]string, len(page.GetData()))
	for i, project := range page.GetData() {
		names[i] = project.GetName()
	}
	fmt.Println("go: ListProjects:", strings.Join(names, ", "))

	_, err = projects.CreateProject(ctx, &adminv1.CreateProjectRequest{Name: "mine"})
	info := detail[*errdetails.ErrorInfo](err)
	fmt.Println("go: CreateProject:", connect.CodeOf(err), info.GetReason(), info.GetMetadata())
	if info.GetReason() != "PERMISSION_DENIED" {
		return fmt.Errorf("another error than expected: %w", err)
	}

	_, err = projects.GetProject(ctx, &adminv1.GetProjectRequest{ProjectId: "../users"})
	info = detail[*errdetails.ErrorInfo](err)
	violations := detail[*errdetails.BadRequest](err).GetFieldViolations()
	if info.GetReason() != "INVALID_REQUEST" || len(violations) == 0 {
		return fmt.Errorf("another error than expected: %w", err)
	}
	fmt.Println("go: GetProject:", connect.CodeOf(err), info.GetReason(), violations[0].GetField())
	return nil
}

// detail is the detail of an error that has a type, or the type's zero value.
func detail[D proto.Message](err error) (none D) {
	var refused *connect.Error
	if !errors.As(err, &refused) {
		return none
	}
	for _, packed := range refused.Details() {
		if message, err := connectproto.UnmarshalErrorDetail(packed); err == nil {
			if found, ok := message.(D); ok {
				return found
			}
		}
	}
	return none
}

// authorize sets a header of every call.
func authorize(credential string) connect.ClientInterceptor {
	return func(next connect.ClientFunc) connect.ClientFunc {
		return func(ctx context.Context, spec connect.Spec) (connect.ClientStream, error) {
			if info, ok := connect.CallInfoForClientContext(ctx); ok {
				info.RequestHeader().Set("Authorization", credential)
			}
			return next(ctx, spec)
		}
	}
}
