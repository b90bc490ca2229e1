package service_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectproto"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/service"
)

const (
	getProject      = "/admingateway.admin.v1.ProjectService/GetProject"
	requestIDHeader = "X-Request-Id"
	// secretWord is in requests and in what fails, and nobody may read it.
	secretWord = "canary-77e0"
)

// newGateway is a gateway in front of an upstream of one function, with a log. No
// call lasts longer than longest; 0 is the default.
func newGateway(t *testing.T, up gatewaytest.UpstreamFunc, longest time.Duration) *gatewaytest.Gateway {
	t.Helper()
	return gatewaytest.New(t, gatewaytest.WithUpstream(up), gatewaytest.WithLogs(), gatewaytest.WithOptions(func(o *service.Options) { o.LongestCall = longest }))
}

// get asks for a project, and gives the id that the gateway gave the call.
func get(t *testing.T, door connect.Transport, project string) (*adminv1.GetProjectResponse, string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ctx, info := connect.NewClientContext(ctx)
	info.RequestHeader().Set(requestIDHeader, "mine")
	answer, err := adminv1connect.NewProjectServiceClient(gatewaytest.As("root", door)).
		GetProject(ctx, &adminv1.GetProjectRequest{ProjectId: project})
	return answer, info.ResponseHeader().Get(requestIDHeader), err
}

func reason(t *testing.T, err error) string {
	t.Helper()
	for _, info := range details[*errdetails.ErrorInfo](t, err) {
		return info.GetReason()
	}
	return ""
}

// details are the error's details of one type.
func details[T proto.Message](t *testing.T, err error) []T {
	t.Helper()
	e, ok := errors.AsType[*connect.Error](err)
	if !ok {
		t.Fatalf("%v is not a *connect.Error", err)
	}
	var found []T
	for _, detail := range e.Details() {
		m, err := connectproto.UnmarshalErrorDetail(detail)
		if err != nil {
			t.Fatal(err)
		}
		if typed, ok := m.(T); ok {
			found = append(found, typed)
		}
	}
	return found
}

// everything that a caller can read of an error.
func everything(err error) string {
	e, ok := errors.AsType[*connect.Error](err)
	if !ok {
		return err.Error()
	}
	text := e.Error()
	for _, detail := range e.Details() {
		text += fmt.Sprintf(" %s %s %s", detail.Type, detail.Value, detail.Debug)
	}
	return text
}
