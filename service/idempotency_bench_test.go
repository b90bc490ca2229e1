package service_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/cache/outcome"
	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/internal/redistest"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// BenchmarkKeyedWrite is a write without a key, with one, and with one that was
// used, in front of an upstream that answers at once; and a bare SET in the same
// Redis, of which a keyed write has to make two.
func BenchmarkKeyedWrite(b *testing.B) {
	methods := catalogtest.Gateway(b)
	addr := redistest.Start(b)
	up := gatewaytest.UpstreamFunc(func(context.Context) (*upstream.Reply, error) {
		return &upstream.Reply{Status: http.StatusOK, Body: []byte(`{"id": "proj_1", "object": "organization.project", "name": "one", "created_at": 1}`)}, nil
	})
	create, _ := methods.Lookup("/admingateway.admin.v1.ProjectService/CreateProject")
	memory, err := outcome.NewMemory(outcome.MemoryOptions{MaxBytes: 8 << 30, MaxCount: 1 << 30, Share: 1})
	if err != nil {
		b.Fatal(err)
	}
	run := func(name string, outcomes outcome.Store, key func(i int) string) {
		client := newKeyedGateway(b, up, outcomes).Client("root")
		b.Run(name, func(b *testing.B) {
			prefix := fmt.Sprint(b.N, "-", time.Now().UnixNano(), "-")
			for i := 0; b.Loop(); i++ {
				ctx, info := connect.NewClientContext(b.Context())
				if k := key(i); k != "" {
					info.RequestHeader().Set("Idempotency-Key", prefix+k)
				}
				if err := client.CallUnary(ctx, create.Spec(), &adminv1.CreateProjectRequest{Name: "one"}, new(adminv1.CreateProjectResponse)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	none, fresh, used := func(int) string { return "" }, func(i int) string { return fmt.Sprint(i) }, func(int) string { return "k" }
	run("no key", gatewaytest.SealedOutcomes(b, memory), none)
	run("memory", gatewaytest.SealedOutcomes(b, memory), fresh)
	run("memory, replayed", gatewaytest.SealedOutcomes(b, memory), used)
	run("Redis", gatewaytest.RedisOutcomes(b, addr), fresh)
	run("Redis, encrypted", gatewaytest.SealedOutcomes(b, gatewaytest.RedisOutcomes(b, addr)), fresh)
	run("Redis, encrypted, replayed", gatewaytest.SealedOutcomes(b, gatewaytest.RedisOutcomes(b, addr)), used)
	client := redis.NewClient(&redis.Options{Addr: addr})
	b.Cleanup(func() { _ = client.Close() })
	b.Run("bare SET", func(b *testing.B) {
		body := make([]byte, 128)
		for i := 0; b.Loop(); i++ {
			if err := client.Set(b.Context(), fmt.Sprint("bare", i), body, time.Hour).Err(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
