package service_test

import (
	"strings"
	"testing"

	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/pages"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// TestEndlessListsAreFailures: a list that does not end, wherever in an inventory
// it is, is a failure that says how, and the inventory is incomplete.
func TestEndlessListsAreFailures(t *testing.T) {
	t.Parallel()
	reasons := map[string]pages.Reason{
		"same_cursor": pages.SameCursor, "cycle": pages.Cycle, "empty_page": pages.EmptyPage, "null_cursor": pages.NoCursor, "new_cursor": pages.PageCap,
	}
	gw := newTourGateway(t, sandbox.Options{Users: 8, Projects: 3, Groups: 2, AuditEvents: 20}, gatewaytest.WithOptions(func(o *service.Options) { o.Inventory.MaxPages = 4 }))
	lists := 0
	for _, method := range inventories(gw.Catalog) {
		reads := declarationOf(method).GetCalls()
		var rpcs []string
		for _, read := range reads {
			rpcs = append(rpcs, read.GetRpc())
		}
		for _, list := range declarationOf(method).GetBuckets().GetLists() {
			rpcs = append(rpcs, list.GetRpc())
		}
		if gathered := declarationOf(method).GetGather().GetRpc(); gathered != "" {
			rpcs = append(rpcs, gathered)
		}
		for i, rpc := range rpcs {
			read, _ := gw.Catalog.Lookup("/" + rpc)
			if read.Response.Descriptor().Fields().ByName("has_more") == nil {
				continue
			}
			lists++
			for variant, reason := range reasons {
				remove := gw.Sandbox.Inject(sandbox.Fault{Op: read.Endpoint.String(), Kind: sandbox.Endless, Variant: variant})
				request := anyRequest(method)
				if usage, ok := request.Interface().(*inventoryv1.ListUsageRequest); ok {
					kind := declarationOf(method).GetBuckets().GetLists()[i].GetKind()
					usage.Kinds = []inventoryv1.UsageKind{inventoryv1.UsageKind(inventoryv1.UsageKind_value[kind])}
				}
				got, err := gw.stream(t.Context(), doors[0], "root", method, request)
				remove()
				if err != nil || got.incomplete() == nil || len(got.failures) == 0 {
					t.Errorf("%s with %s of %s: %v, %v", method.ShortName(), variant, read.ShortName(), got, err)
					continue
				}
				found := false
				for _, failure := range got.failures {
					if strings.HasPrefix(failure.GetWorkloadIdentityProviderId(), "cursor_") {
						continue // Below a provider that the fault made up, for its cursor.
					}
					says := func(reason pages.Reason) bool {
						return failure.GetReason() == rpcerror.ReasonEndlessList && strings.Contains(failure.GetMessage(), string(reason))
					}
					// A list that was empty is so for ever.
					endless := says(reason) || says(pages.EmptyPage)
					// Pages of buckets that say the same again are found out earlier.
					again := len(reads) == 0 && (variant == "new_cursor" || variant == "cycle") && failure.GetReason() == upstream.ReasonBadResponse
					// Where the cursor is the id of the last item, an item without one refuses the page.
					nameless := variant == "null_cursor" && failure.GetReason() == upstream.ReasonBadResponse
					found = found || says(reason) || again || nameless
					if failure.GetMethod() != rpc || !endless && !again && !nameless {
						t.Errorf("%s with %s of %s: %v", method.ShortName(), variant, read.ShortName(), failure)
					}
				}
				if !found {
					t.Errorf("%s with %s of %s: none says so: %v", method.ShortName(), variant, read.ShortName(), got.failures)
				}
				for item, n := range got.names {
					// What an outer list says again is not read again.
					if len(reads) > 1 && (n > 4 || n > 1 && i == 0 && item != "") {
						t.Errorf("%s with %s of %s: %q came %d times", method.ShortName(), variant, read.ShortName(), item, n)
					}
				}
			}
		}
	}
	if lists < 35 {
		t.Errorf("%d lists", lists)
	}
}
