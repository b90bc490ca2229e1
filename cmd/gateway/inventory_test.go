package main

import (
	"context"
	"slices"
	"testing"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1/inventoryv1connect"
	"github.com/admin-gateway/admin-gateway/sandbox"
)

// TestServeBoundsInventories: the config bounds the projects and the time of a
// stream.
func TestServeBoundsInventories(t *testing.T) {
	t.Parallel()
	s := startServedOf(t, sandbox.Options{Seed: 1, Projects: 250}, "inventory: {concurrency: 1, longest_stream: 1m, outermost_items: 100}\n")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client := http2Client()
	defer client.CloseIdleConnections()
	door := connect.NewClient(connecthttp.NewTransport(client, s.url, connecthttp.WithGRPC()), withToken(s.who.operator))
	stream, err := inventoryv1connect.NewInventoryServiceClient(door).ListApiKeys(ctx, &inventoryv1.ListApiKeysRequest{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stream.Close() }()
	var end *inventoryv1.End
	for end == nil {
		message, err := stream.Receive()
		if err != nil {
			t.Fatal(err)
		}
		end = message.GetEnd()
	}
	if got := end.GetIncomplete().GetReasons(); !slices.Equal(got, []inventoryv1.Incomplete_Reason{inventoryv1.Incomplete_REASON_TOO_MANY}) {
		t.Errorf("after 100 of 250 projects: %v", end)
	}
	s.stop(t)
}
