package service_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"

	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// manyProjects is an upstream with 1,000 projects of 160 keys each.
type manyProjects struct{ keys [2][]byte }

func newManyProjects() manyProjects {
	var m manyProjects
	for page := range m.keys {
		var b strings.Builder
		b.WriteString(`{"object": "list", "data": [`)
		for i := range 80 {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"object": "organization.project.api_key", "id": "key_%d_%d", "name": "a key with a name", "redacted_value": "sk-proj-…%04d", "created_at": 1700000000, "last_used_at": 1750000000, `+
				`"owner": {"type": "user", "user": {"id": "user-%d", "email": "somebody%d@example.com", "name": "Some Body", "created_at": 1600000000, "role": "member"}}}`, page, i, i, i, i)
		}
		fmt.Fprintf(&b, `], "has_more": %t, "last_id": "%d"}`, page < len(m.keys)-1, page+1)
		m.keys[page] = []byte(b.String())
	}
	return m
}

func (m manyProjects) Do(_ context.Context, endpoint *upstream.Endpoint, request *upstream.Request) (*upstream.Reply, error) {
	query, err := url.ParseQuery(request.Query)
	if err != nil {
		return nil, err
	}
	var after int
	if text := query.Get("after"); text != "" {
		if _, err := fmt.Sscan(text, &after); err != nil {
			return nil, err
		}
	}
	if endpoint.String() == listKeys {
		return &upstream.Reply{Status: http.StatusOK, Body: m.keys[after]}, nil
	}
	var b strings.Builder
	b.WriteString(`{"object": "list", "data": [`)
	for i := range 100 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"object": "organization.project", "id": "%d", "name": "p", "created_at": 1, "status": "active"}`, after+i+1)
	}
	fmt.Fprintf(&b, `], "has_more": %t, "last_id": "%d"}`, after+100 < 1000, after+100)
	return &upstream.Reply{Status: http.StatusOK, Body: []byte(b.String())}, nil
}

// liveHeap is what is held, garbage collected.
func liveHeap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// BenchmarkInventory streams the 160,000 keys of 1,000 projects, and reports the
// most that was held on the way beyond what was held before.
func BenchmarkInventory(b *testing.B) {
	gateway := gatewaytest.New(b, gatewaytest.WithUpstream(newManyProjects()))
	var most int64
	for b.Loop() {
		most = max(most, streamMany(b, gateway.Server))
	}
	b.ReportMetric(float64(most)/(1<<20), "MiB-held")
}

// TestInventoryIsNotHeld: what is held while 160,000 keys go by is a few pages
// and the names of the projects. Held whole they take more than 100 MiB.
func TestInventoryIsNotHeld(t *testing.T) { //nolint:paralleltest // It looks at the memory of the whole process.
	gateway := gatewaytest.New(t, gatewaytest.WithUpstream(newManyProjects()))
	if most := streamMany(t, gateway.Server); most > 32<<20 {
		t.Errorf("%d MiB are held on the way", most>>20)
	}
}

func streamMany(tb testing.TB, server *connect.Server) (most int64) {
	tb.Helper()
	before := liveHeap()
	stream, err := gatewaytest.As("root", service.InProcess(server)).CallServerStream(tb.Context(), connect.Spec{
		StreamType: connect.StreamTypeServer, Procedure: "/admingateway.inventory.v1.InventoryService/ListApiKeys",
	}, &inventoryv1.ListApiKeysRequest{})
	if err != nil {
		tb.Fatal(err)
	}
	keys, pages := 0, 0
	for {
		response := &inventoryv1.ListApiKeysResponse{}
		if err := stream.Receive(response); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			tb.Fatal(err)
		}
		if page := response.GetKeys(); page != nil {
			keys += len(page.GetItems())
			if pages++; pages%500 == 0 {
				most = max(most, liveHeap()-before)
			}
		}
	}
	if keys != 160_000 {
		tb.Fatalf("%d keys", keys)
	}
	return most
}
