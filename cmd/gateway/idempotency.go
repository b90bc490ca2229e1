package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"time"

	"github.com/admin-gateway/admin-gateway/cache"
	"github.com/admin-gateway/admin-gateway/cache/outcome"
	"github.com/admin-gateway/admin-gateway/cache/seal"
	"github.com/admin-gateway/admin-gateway/internal/redisclient"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/upstream"
)

const (
	// outcomesMemory is what the outcomes of keyed writes may take where there is
	// no Redis to keep them.
	outcomesMemory = 32 << 20
	// outcomesPatience is how long Redis may take to say whether a keyed write is
	// to be made. A cache would not wait as long; but here no answer is a refusal,
	// and a write takes its time anyway.
	outcomesPatience = time.Second
)

// withIdempotency adds what keeps the outcomes of keyed writes, and what closes
// it. If it fails, all of r is closed.
func (r *remembering) withIdempotency(ctx context.Context, c cacheConfig, baseURL string, key upstream.KeySource, logger *slog.Logger) (*remembering, error) {
	outcomes, closeOutcomes, err := openOutcomes(ctx, c, r.events, logger)
	if err != nil {
		r.close()
		return nil, err
	}
	closeCache := r.close
	r.close = func() {
		closeOutcomes()
		closeCache()
	}
	scope := sha256.Sum256([]byte("admin-gateway upstream\x00" + baseURL))
	r.idempotency, err = service.NewIdempotency(service.IdempotencyOptions{
		Outcomes: outcomes, Scope: hex.EncodeToString(scope[:16]), Org: organization(baseURL, key), Logger: logger,
	})
	if err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// openOutcomes keeps outcomes in Redis if there is one, encrypted if there are
// keys, and in memory if there is none: then encrypted with a key that ends with
// the process.
func openOutcomes(ctx context.Context, c cacheConfig, events cache.Metrics, logger *slog.Logger) (outcomes outcome.Store, closeOutcomes func(), err error) {
	if c.RedisURL == "" {
		memory, err := outcome.NewMemory(outcome.MemoryOptions{MaxBytes: outcomesMemory})
		if err != nil {
			return nil, nil, err
		}
		own := make([]byte, seal.KeyBytes)
		_, _ = rand.Read(own) // never fails
		outcomes, err := outcome.NewSealed(memory, [][]byte{own}, events)
		return outcomes, func() {}, err
	}
	client, err := c.redisClient(ctx, redisclient.Config{Patience: outcomesPatience}, logger)
	if err != nil {
		return nil, nil, err
	}
	closeOutcomes = func() { _ = client.Close() } // The process ends.
	outcomes = outcome.NewRedis(client, outcome.RedisOptions{CallTimeout: outcomesPatience, Metrics: events})
	if len(c.EncryptionKeys) == 0 {
		return outcomes, closeOutcomes, nil
	}
	keys, err := encryptionKeys(ctx, c.EncryptionKeys, logger)
	if err == nil {
		outcomes, err = outcome.NewSealed(outcomes, keys, events)
	}
	if err != nil {
		closeOutcomes()
		return nil, nil, fmt.Errorf("config key cache.encryption_keys: %w", err)
	}
	return outcomes, closeOutcomes, nil
}
