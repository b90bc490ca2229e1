package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/admin-gateway/admin-gateway/cache"
	"github.com/admin-gateway/admin-gateway/internal/redisclient"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// byteSize is a number of bytes, written as 64MiB, 512KiB, 1GiB or 1000000.
type byteSize int64

var errNoSize = errors.New("no size")

// Form says how a size is written.
func (byteSize) Form() string { return "a size such as 64MiB" }

// String writes a size as it is read.
func (b byteSize) String() string {
	for _, unit := range []struct {
		name  string
		bytes byteSize
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if b > 0 && b%unit.bytes == 0 {
			return strconv.FormatInt(int64(b/unit.bytes), 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// UnmarshalText reads a size.
func (b *byteSize) UnmarshalText(text []byte) error {
	number, factor := string(text), int64(1)
	for unit, value := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if before, ok := strings.CutSuffix(number, unit); ok {
			number, factor = before, value
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil || n < 0 {
		return errNoSize
	}
	*b = byteSize(n * factor)
	return nil
}

// writeLease is how long a write that is never closed, because its process died,
// keeps what it touches out of the caches. It follows from the longest call that
// can be configured: a lease that ends before its write would let a read store
// what the write is about to change. Twice as long leaves time to close the
// write after a call that took all of its time.
const writeLease = 2 * service.DefaultLongestCall

// remembering is the cache and what runs beside it.
type remembering struct {
	cache       *service.Cache
	idempotency *service.Idempotency
	events      cacheEvents
	run         func(context.Context)
	close       func()
	// degraded says what does not work and can be done without; "" is nothing.
	degraded func() string
}

// openCache makes the cache that the config asks for: memory, over Redis if
// there is one.
func openCache(ctx context.Context, c cacheConfig, baseURL string, key upstream.KeySource, catalog *service.Catalog, logger *slog.Logger) (*remembering, error) {
	r := &remembering{
		events: newCacheEvents(),
		run:    func(context.Context) {}, close: func() {}, degraded: func() string { return "" },
	}
	lives, err := c.lives(catalog)
	if err != nil {
		return nil, err
	}
	memory, err := cache.NewMemory(cache.MemoryOptions{MaxBytes: int64(c.Memory), Lease: writeLease, Metrics: r.events})
	if err != nil {
		return nil, fmt.Errorf("config key cache.memory: %w", err)
	}
	tiers := cache.TieredOptions{Memory: memory, Convert: catalog.Convert, Metrics: r.events}
	var leases cache.Leases
	if c.RedisURL != "" {
		client, err := c.redisClient(ctx, redisclient.Config{}, logger)
		if err != nil {
			return nil, err
		}
		shared, err := cache.NewRedis(client, cache.RedisOptions{Lease: writeLease, Metrics: r.events}) //nolint:contextcheck // lives until it is closed
		if err != nil {
			return nil, errors.Join(err, client.Close())
		}
		tiers.Shared, tiers.Bus, leases = shared, shared, shared
		if len(c.EncryptionKeys) > 0 {
			if tiers.Shared, err = sealed(ctx, shared, c.EncryptionKeys, r.events, logger); err != nil {
				shared.Close()
				return nil, errors.Join(fmt.Errorf("config key cache.encryption_keys: %w", err), client.Close())
			}
		}
		r.degraded = func() string {
			if shared.Available() {
				return ""
			}
			return "Redis does not answer, and each replica remembers for itself"
		}
		r.close = func() {
			shared.Close()
			_ = client.Close() // The process ends.
		}
	}
	tiered, err := cache.NewTiered(tiers)
	if err != nil {
		r.close()
		return nil, err
	}
	r.run = tiered.Run
	release := r.close
	r.cache, err = service.NewCache(service.CacheOptions{
		Store: tiered, Near: memory, Shared: tiers.Shared, Leases: leases, Org: organization(baseURL, key), Lives: lives, Jitter: c.Jitter, Logger: logger,
	})
	if err != nil {
		release()
		return nil, err
	}
	r.close = func() {
		r.cache.Close()
		release()
	}
	return r.withIdempotency(ctx, c, baseURL, key, logger)
}

// sealed encrypts what Redis is given.
func sealed(ctx context.Context, store cache.Store, keys []keyConfig, events cache.Metrics, logger *slog.Logger) (cache.Store, error) {
	raw, err := encryptionKeys(ctx, keys, logger)
	if err != nil {
		return nil, err
	}
	return cache.NewSealed(store, raw, events)
}

// encryptionKeys reads them. A key is 32 random bytes in base64, as `openssl rand
// -base64 32` prints them.
func encryptionKeys(ctx context.Context, keys []keyConfig, logger *slog.Logger) ([][]byte, error) {
	var raw [][]byte
	for i, key := range keys {
		secret, err := key.source(logger).Key(ctx)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		decoded, err := base64.StdEncoding.DecodeString(secret.Reveal())
		if err != nil {
			return nil, fmt.Errorf("key %d: it is not base64", i+1) // Without the error, which quotes.
		}
		raw = append(raw, decoded)
	}
	return raw, nil
}

// organization names whose data the admin key opens: other data, other name.
// The name is worked out once for each key that there is.
func organization(baseURL string, key upstream.KeySource) func(context.Context) (string, error) {
	type named struct {
		secret upstream.Secret
		name   string
	}
	var last atomic.Pointer[named]
	return func(ctx context.Context) (string, error) {
		secret, err := key.Key(ctx)
		if err != nil {
			return "", err
		}
		if n := last.Load(); n != nil && n.secret.Equal(secret) {
			return n.name, nil
		}
		digest := sha256.Sum256([]byte("admin-gateway organization\x00" + baseURL + "\x00" + secret.Reveal()))
		n := &named{secret, hex.EncodeToString(digest[:16])}
		last.Store(n)
		return n.name, nil
	}
}
