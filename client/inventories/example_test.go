package inventories_test

import (
	"context"
	"errors"
	"fmt"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/client/inventories"
	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
)

// gateway stands for an inventoryv1connect.InventoryServiceClient. A replica dies in its
// first stream; the caller may not read the last project.
type gateway struct{ replica }

func (g *gateway) ListApiKeys(ctx context.Context, req *request) (*stream, error) { //nolint:revive,staticcheck // The name in the stubs.
	g.scripts = []script{
		{messages: []*response{page("proj_a"), progress("behind proj_a"), page("proj_b")}, err: connect.NewError(connect.CodeUnavailable, "connection reset")},
		{messages: []*response{page("proj_b"), failure(connect.CodePermissionDenied, "PERMISSION_DENIED", 0), part("proj_c", inventoryv1.Incomplete_REASON_DENIED)}},
	}
	return g.list(ctx, req)
}

func ExampleWalk() {
	ctx, client := context.Background(), new(gateway)
	for page, err := range inventories.Walk(ctx, client.ListApiKeys, &inventoryv1.ListApiKeysRequest{}) {
		if incomplete, ok := errors.AsType[*inventories.IncompleteError](err); ok {
			fmt.Println("missing:", incomplete.Reasons, "go on from", incomplete.ResumeToken)
			return
		}
		if err != nil {
			fmt.Println("refused:", err)
			return
		}
		for _, key := range page.GetKeys().GetItems() {
			fmt.Println(page.GetKeys().GetProjectId(), key.GetId())
		}
	}
	// Output:
	// proj_a key_proj_a
	// proj_b key_proj_b
	// missing: [REASON_DENIED] go on from proj_c
}
