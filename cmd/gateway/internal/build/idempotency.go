package build

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"time"

	"github.com/admin-gateway/admin-gateway/cache"
	"github.com/admin-gateway/admin-gateway/cache/outcome"
	"github.com/admin-gateway/admin-gateway/cache/seal"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/internal/redisclient"
	"github.com/admin-gateway/admin-gateway/service/idempotency"
	"github.com/admin-gateway/admin-gateway/upstream"
)

const (
	// outcomesMemory bounds the outcomes of keyed writes in memory, in bytes, where
	// there is no Redis.
	outcomesMemory = 32 << 20
	// outcomesPatience bounds the wait for Redis before a keyed write. It is longer
	// than that of the cache, because without an answer the write is refused.
	outcomesPatience = time.Second
)

// idempotency stores the outcomes of writes that have an idempotency key.
type keyedWrites struct{ *idempotency.Outcomes }

func openIdempotency(ctx context.Context, opened *closers, conf config.Config, key upstream.KeySource, events cache.Metrics, logger *slog.Logger) (*keyedWrites, error) {
	outcomes, err := openOutcomes(ctx, opened, conf.Cache, events, logger)
	if err != nil {
		return nil, err
	}
	scope := sha256.Sum256([]byte("admin-gateway upstream\x00" + conf.Upstream.BaseURL))
	writes, err := idempotency.New(idempotency.Options{
		Outcomes: outcomes, Scope: hex.EncodeToString(scope[:16]), Org: organization(conf.Upstream.BaseURL, key.Key), Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	return &keyedWrites{writes}, nil
}

// openOutcomes opens the store of outcomes: Redis, encrypted if the config has keys,
// or memory without Redis.
func openOutcomes(ctx context.Context, opened *closers, c config.Cache, events cache.Metrics, logger *slog.Logger) (outcome.Store, error) {
	if c.RedisURL == "" {
		return newMemoryOutcomes(events)
	}
	client, err := openRedis(ctx, opened, c, redisclient.Config{Patience: outcomesPatience}, logger)
	if err != nil {
		return nil, err
	}
	outcomes := outcome.NewRedis(client, outcome.RedisOptions{CallTimeout: outcomesPatience, Metrics: events})
	if len(c.EncryptionKeys) == 0 {
		return outcomes, nil
	}
	keys, err := encryptionKeys(ctx, c.EncryptionKeys, logger)
	if err != nil {
		return nil, config.AtKey("cache.encryption_keys", err)
	}
	encrypted, err := outcome.NewSealed(outcomes, keys, events)
	if err != nil {
		return nil, config.AtKey("cache.encryption_keys", err)
	}
	return encrypted, nil
}

// newMemoryOutcomes encrypts with a random key that only this process has.
func newMemoryOutcomes(events cache.Metrics) (outcome.Store, error) {
	memory, err := outcome.NewMemory(outcome.MemoryOptions{MaxBytes: outcomesMemory})
	if err != nil {
		return nil, err
	}
	key := make([]byte, seal.KeyBytes)
	_, _ = rand.Read(key) // It never fails.
	return outcome.NewSealed(memory, [][]byte{key}, events)
}
