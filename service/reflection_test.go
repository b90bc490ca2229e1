package service_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/service"
)

// TestReflectionNeedsItsPermission: a stream passes the same interceptors as a unary
// call.
func TestReflectionNeedsItsPermission(t *testing.T) {
	t.Parallel()
	log := new(gatewaytest.Records)
	gateway := gatewaytest.New(t, gatewaytest.WithAudit(log), gatewaytest.WithPolicy(admissiontest.RootPolicy+accessPolicy[len("\ncallers:\n"):]), gatewaytest.WithOptions(func(o *service.Options) { o.Reflection = true }))
	client := reflectionv1.NewServerReflectionClient(gateway.FastGRPC().Conn)
	for name, want := range map[string]codes.Code{
		"root": codes.OK, "powerless": codes.OK, "elsewhere": codes.PermissionDenied, "forbidden": codes.PermissionDenied,
		"unknown": codes.Unauthenticated, "": codes.Unauthenticated,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		if name != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+admissiontest.TokenOf(name))
		}
		stream, err := client.ServerReflectionInfo(ctx)
		if err != nil {
			t.Fatal(err)
		}
		// A refusal may arrive before this is sent.
		_ = stream.Send(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}})
		answer, err := stream.Recv()
		if status.Code(err) != want {
			t.Errorf("%q got %v, want %s", name, err, want)
		}
		if services := answer.GetListServicesResponse().GetService(); want == codes.OK && len(services) < 30 {
			t.Errorf("%q sees %d services", name, len(services))
		}
		_ = stream.CloseSend() // The refused have none.
		if _, err := stream.Recv(); want == codes.OK && !errors.Is(err, io.EOF) {
			t.Errorf("%q: the end: %v", name, err)
		}
	}
	if n := len(log.All()); n != 6 {
		t.Errorf("%d records of 6 calls", n)
	}
}
