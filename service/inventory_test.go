package service_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/sandbox"
)

// TestEveryInventory streams every inventory through every door, and holds it
// against the reads of its declaration, each made by itself.
func TestEveryInventory(t *testing.T) {
	t.Parallel()
	gw := newTourGateway(t, sandbox.Options{Users: 30, Projects: 7, AuditEvents: 250})
	all := inventories(gw.Catalog)
	if len(all) < 22 {
		t.Errorf("%d inventories", len(all))
	}
	for _, method := range all {
		declared := declarationOf(method)
		for _, d := range streamDoors {
			before := gw.Sandbox.Counts()
			got, err := gw.stream(t.Context(), d, "root", method, anyRequest(method))
			if err != nil {
				t.Errorf("%s over %s: %v", method.ShortName(), d.Name, err)
				continue
			}
			asked := int64(0)
			for op, n := range gw.Sandbox.Counts() {
				asked += int64(n - before[op])
			}
			last := got.progress[len(got.progress)-1]
			if got.end.GetComplete() == nil || len(got.failures) > 0 {
				t.Errorf("%s over %s: %v, %v", method.ShortName(), d.Name, got, got.failures)
			}
			if n := got.end.GetCalls(); n != asked || n != last.GetCallsDone() || n != last.GetCallsKnown() || !last.GetAllListed() {
				t.Errorf("%s: %d calls, the upstream was asked %d times, the last progress says %v", method.ShortName(), n, asked, last)
			}
			total := 0
			for _, n := range got.items {
				total += n
			}
			if got.end.GetItems() != int64(total) || total == 0 {
				t.Errorf("%s: %d items said, %d came", method.ShortName(), got.end.GetItems(), total)
			}
			if status := got.header.Get("Cache-Status"); status != "" {
				t.Errorf("%s: the stream has a cache status: %s", method.ShortName(), status)
			}
			if declared.GetBuckets() != nil || declared.GetView() != "" {
				continue // What they say is compared in tests of their own.
			}
			if len(declared.GetCalls()) > 1 { // Items of outer lists, where they are streamed too.
				maps.DeleteFunc(got.items, func(item string, _ int) bool { return strings.HasPrefix(item, "Group ") })
			}
			same(t, method.ShortName()+" over "+d.Name, gw.expected(t, method, anyRequest(method)), got.items)
		}
	}
}

// TestInventoryThroughTheGRPCDoor, whole and given up half way.
func TestInventoryThroughTheGRPCDoor(t *testing.T) {
	t.Parallel()
	log := new(gatewaytest.Records)
	door := gatewaytest.New(t, gatewaytest.WithUpstream(newManyProjects()), gatewaytest.WithAudit(log)).FastGRPC()
	for _, whole := range []bool{true, false} {
		ctx, cancel := context.WithCancel(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+admissiontest.TokenOf("root")))
		stream, err := door.Conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/admingateway.inventory.v1.InventoryService/ListApiKeys")
		if err != nil {
			t.Fatal(err)
		}
		request := &inventoryv1.ListApiKeysRequest{}
		if whole {
			request.ProjectIds = []string{"1", "2", "3"}
		}
		if err := errors.Join(stream.SendMsg(request), stream.CloseSend()); err != nil {
			t.Fatal(err)
		}
		before := len(log.All())
		var end *inventoryv1.End
		for came := 0; whole && end == nil || !whole && came < 50; came++ {
			response := &inventoryv1.ListApiKeysResponse{}
			if err := stream.RecvMsg(response); err != nil {
				t.Fatal(err)
			}
			end = response.GetEnd()
		}
		if whole != (end.GetComplete() != nil) || whole && end.GetItems() != 480 {
			t.Errorf("whole %t: %v", whole, end)
		}
		cancel()
		awaitRecord(t, log, before)
	}
}

// TestInventoriesNeedTheirPermission: each has one of its own.
func TestInventoriesNeedTheirPermission(t *testing.T) {
	t.Parallel()
	gw := newTourGateway(t, sandbox.Options{})
	gw.Policy.Set(t, `
callers:
  - name: reader
    authenticate: [{token_sha256: $reader}]
    grants: [{permissions: ["*"]}]
    denies: [{permissions: ["inventory.*"]}]
    limits: $free
  - name: shell
    authenticate: [{token_sha256: $shell}]
    grants: [{permissions: ["inventory.*"]}]
    limits: $free
`)
	for _, method := range inventories(gw.Catalog) {
		for _, caller := range []string{"reader", "shell"} {
			got, err := gw.stream(t.Context(), doors[0], caller, method, anyRequest(method))
			if connect.CodeOf(err) != connect.CodePermissionDenied {
				t.Errorf("%s by %s: %v, %v", method.ShortName(), caller, got, err)
			}
		}
	}
	if n := len(gw.Sandbox.Counts()); n > 0 {
		t.Errorf("the upstream was asked: %v", gw.Sandbox.Counts())
	}
}
