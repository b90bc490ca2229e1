package service_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
)

// TestTooLargeIsTooLargeAtAnySize: however much a request is over the bound, the fast door
// refuses it with the pipeline's own error, and the call is recorded.
func TestTooLargeIsTooLargeAtAnySize(t *testing.T) {
	t.Parallel()
	log := new(gatewaytest.Records)
	g := gatewaytest.New(t, gatewaytest.WithUpstream(gatewaytest.UpstreamFunc(gatewaytest.AnswerProject)), gatewaytest.WithAudit(log))
	client := g.FastGRPC()
	refusal := func(size int) *status.Status {
		t.Helper()
		ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+admissiontest.TokenOf("root"))
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		request := &adminv1.GetProjectRequest{ProjectId: strings.Repeat("x", size)}
		return status.Convert(client.Conn.Invoke(ctx, getProject, request, new(adminv1.GetProjectResponse)))
	}
	for _, size := range []int{1<<20 + 1, 2<<20 + 1, 3 << 20} {
		got := refusal(size)
		var reason string
		for _, detail := range got.Details() {
			if info, ok := detail.(*errdetails.ErrorInfo); ok {
				reason = info.GetReason()
			}
		}
		if got.Code() != codes.ResourceExhausted || reason == "" {
			t.Errorf("%d bytes: %v, reason %q", size, got, reason)
		}
		if record := log.Last(); record.Code != "resource_exhausted" || record.Caller != "root" {
			t.Errorf("%d bytes: it is recorded as %q of %q", size, record.Code, record.Caller)
		}
	}
}
