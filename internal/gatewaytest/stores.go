package gatewaytest

import (
	"bytes"
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/cache"
	"github.com/admin-gateway/admin-gateway/cache/outcome"
	"github.com/admin-gateway/admin-gateway/cache/seal"
	"github.com/admin-gateway/admin-gateway/internal/redisclient"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/readcache"
)

// memoryCache stores answers in memory alone.
func memoryCache(tb testing.TB, methods *catalog.Catalog, now func() time.Time, adjust ...func(*readcache.Options, *catalog.Catalog)) *readcache.Cache {
	tb.Helper()
	memory, err := cache.NewMemory(cache.MemoryOptions{MaxBytes: 16 << 20, Lease: time.Minute, Now: now})
	if err != nil {
		tb.Fatal(err)
	}
	tiered, err := cache.NewTiered(cache.TieredOptions{Memory: memory, Convert: readcache.Converter(methods)})
	if err != nil {
		tb.Fatal(err)
	}
	options := readcache.Options{Store: tiered, Near: memory, Now: now, Org: organization}
	for _, adjust := range adjust {
		adjust(&options, methods)
	}
	c, err := readcache.New(options)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

// redisCache stores answers as one replica of several. The test fails if Redis
// does: a replica that has lost Redis guarantees less.
func redisCache(tb testing.TB, methods *catalog.Catalog, addr string, near func(*cache.Memory), keys ...[]byte) *readcache.Cache {
	tb.Helper()
	// The machine of a test may stand still for longer than Redis may.
	const patience = 10 * time.Second
	connect := func(onConnect func(context.Context, *redis.Conn) error) (redis.UniversalClient, error) {
		return redisclient.New(redisclient.Config{URL: "redis://" + addr, Patience: patience, OnConnect: onConnect})
	}
	failures := new(failures)
	shared, err := cache.NewRedis(connect, cache.RedisOptions{Lease: time.Minute, CallTimeout: patience, SlowCall: patience, Metrics: failures})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		shared.Close()
		if n := failures.Load(); n > 0 {
			tb.Errorf("Redis failed %d times: the test shows nothing", n)
		}
	})
	var store cache.Store = shared
	if len(keys) > 0 {
		if store, err = cache.NewSealed(shared, keys, nil); err != nil {
			tb.Fatal(err)
		}
	}
	memory, err := cache.NewMemory(cache.MemoryOptions{MaxBytes: 8 << 20, Lease: time.Minute})
	if err != nil {
		tb.Fatal(err)
	}
	if near != nil {
		near(memory)
	}
	tiered, err := cache.NewTiered(cache.TieredOptions{Memory: memory, Shared: store, Bus: shared, Convert: readcache.Converter(methods), Way: "this build"})
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); tiered.Run(ctx) }()
	tb.Cleanup(func() { cancel(); <-ended })
	c, err := readcache.New(readcache.Options{Store: tiered, Near: memory, Shared: store, Leases: shared, Org: organization})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

// failures counts the failed calls of a store.
type failures struct{ atomic.Int64 }

// Count implements [cache.Metrics].
func (f *failures) Count(_ string, e cache.Event) {
	if e == cache.Failed {
		f.Add(1)
	}
}

// MemoryOutcomes keeps outcomes as a gateway without Redis does.
func MemoryOutcomes(tb testing.TB) outcome.Store {
	tb.Helper()
	memory, err := outcome.NewMemory(outcome.MemoryOptions{MaxBytes: 32 << 20})
	if err != nil {
		tb.Fatal(err)
	}
	return SealedOutcomes(tb, memory)
}

// RedisOutcomes keeps outcomes in the Redis at addr, as one replica of several.
func RedisOutcomes(tb testing.TB, addr string) outcome.Store {
	tb.Helper()
	// The machine of a test may stand still for longer than Redis may.
	const patience = 20 * time.Second
	client, err := redisclient.New(redisclient.Config{URL: "redis://" + addr, Patience: patience})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = client.Close() })
	return outcome.NewRedis(client, outcome.RedisOptions{CallTimeout: patience})
}

// SealedOutcomes encrypts the outcomes of a store, with a key that all share.
func SealedOutcomes(tb testing.TB, outcomes outcome.Store) outcome.Store {
	tb.Helper()
	sealed, err := outcome.NewSealed(outcomes, [][]byte{bytes.Repeat([]byte{7}, seal.KeyBytes)}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return sealed
}
