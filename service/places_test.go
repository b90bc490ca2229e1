package service_test

import (
	"context"
	"net"
	"testing"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/service/httpdoor"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// TestCallsBeyondTheirPlaces: a call for whose connection its caller has no place is
// refused with the time to wait, and does not reach the upstream.
func TestCallsBeyondTheirPlaces(t *testing.T) {
	t.Parallel()
	blocked, release := make(chan struct{}, 2), make(chan struct{})
	gateway := gatewaytest.New(t, gatewaytest.WithUpstream(gatewaytest.UpstreamFunc(func(ctx context.Context) (*upstream.Reply, error) {
		blocked <- struct{}{}
		<-release
		return gatewaytest.AnswerProject(ctx)
	})))
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	port := httpdoor.New(gateway.Handler(), httpdoor.Options{MaxConnections: 4}) // One for each caller.
	go func() { ended <- port.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	get := func() error { // On a connection of its own.
		door := connecthttp.NewTransport(transportOf(t, 2), "http://"+l.Addr().String(), connecthttp.WithGRPC())
		_, err := adminv1connect.NewProjectServiceClient(gatewaytest.As("root", door)).GetProject(t.Context(), &adminv1.GetProjectRequest{ProjectId: "proj_1"})
		return err
	}
	done := make(chan error, 1)
	go func() { done <- get() }()
	<-blocked
	err = get()
	if connect.CodeOf(err) != connect.CodeResourceExhausted || reason(t, err) != rpcerror.ReasonConnectionLimit || len(details[*errdetails.RetryInfo](t, err)) != 1 {
		t.Errorf("a call on a further connection: %v", err)
	}
	close(release)
	if err := <-done; err != nil {
		t.Errorf("the call under way: %v", err)
	}
	if len(blocked) > 0 {
		t.Error("the refused call went to the upstream")
	}
}
