package outcome

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/admin-gateway/admin-gateway/cache"
	"github.com/admin-gateway/admin-gateway/cache/seal"
	"github.com/admin-gateway/admin-gateway/internal/redisclient"
	"github.com/admin-gateway/admin-gateway/internal/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testServer is a redis-server.
type testServer struct {
	addr string
	// client looks at it from outside.
	client redis.UniversalClient
}

func newServer(tb testing.TB) *testServer {
	tb.Helper()
	addr := redistest.Start(tb)
	return &testServer{addr: addr, client: redistest.Client(tb, addr)}
}

// newReplica returns a store over the server at addr, as another replica of the
// gateway has one.
func newReplica(tb testing.TB, addr string, options RedisOptions) *Redis {
	tb.Helper()
	return newPatient(tb, redisclient.Config{URL: "redis://" + addr}, options)
}

// newPatient returns a store that waits for longer than Redis may take: the
// machine that tests run on may stand still.
func newPatient(tb testing.TB, config redisclient.Config, options RedisOptions) *Redis {
	tb.Helper()
	const patience = 10 * time.Second
	config.Patience, options.CallTimeout = patience, patience
	return newRedis(tb, config, options)
}

// newHasty returns a store with the shortest timeouts.
func newHasty(tb testing.TB, addr string, options RedisOptions) *Redis {
	tb.Helper()
	return newRedis(tb, redisclient.Config{URL: "redis://" + addr}, options)
}

func newRedis(tb testing.TB, config redisclient.Config, options RedisOptions) *Redis {
	tb.Helper()
	client, err := redisclient.New(config)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = client.Close() })
	options.Life = testLife
	return NewRedis(client, options)
}

func sealKey(n byte) []byte { return bytes.Repeat([]byte{n}, seal.KeyBytes) }

func cancelled(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// counts are Metrics that a test reads.
type counts struct {
	mu sync.Mutex
	of map[string]int
}

func (c *counts) Count(store string, event cache.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = map[string]int{}
	}
	c.of[store+" "+event.String()]++
}

func (c *counts) get(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of[name]
}
