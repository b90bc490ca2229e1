package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/cache"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

func paceLimit(l config.Limit) pace.Limit { return pace.Limit{Calls: l.CallsPerMinute, Burst: l.Burst} }

// paceOptions compiles it against the catalog: a name that no method spends is a slip.
func paceOptions(b config.Budget, catalog *service.Catalog) (pace.Options, error) {
	o := pace.Options{
		Organization: paceLimit(b.Organization), Default: paceLimit(b.Default), Share: b.ReplicaShare,
		Buckets: make(map[string]pace.Limit),
	}
	names := catalog.Budgets()
	for i, l := range b.Buckets {
		switch _, twice := o.Buckets[l.Name]; {
		case twice:
			return o, fmt.Errorf("config key upstream.budget.buckets[%d]: %q is there twice", i, l.Name)
		case !slices.Contains(names, l.Name):
			return o, fmt.Errorf("config key upstream.budget.buckets[%d]: no method spends %q; gateway catalog lists the budgets", i, l.Name)
		}
		o.Buckets[l.Name] = pace.Limit{Calls: l.CallsPerMinute, Burst: l.Burst}
	}
	return o, nil
}

// openBudget makes the pacer that the config asks for: of this process, or
// shared with other replicas where there is a Redis.
//
// What is counted together belongs to one base URL: a change of the admin key
// leaves the organization and its budget what they are.
func openBudget(ctx context.Context, b config.Budget, shared config.Cache, baseURL string, catalog *service.Catalog, logger *slog.Logger) (*budget, error) {
	options, err := paceOptions(b, catalog)
	if err != nil {
		return nil, err
	}
	opened := &budget{events: newPaceEvents(catalog.Budgets()), close: func() {}}
	options.Logger, options.Metrics = logger, opened.events
	if shared.RedisURL != "" {
		client, err := redisClient(ctx, shared, cache.RedisConfig{}, logger)
		if err != nil {
			return nil, err
		}
		opened.close = func() { _ = client.Close() } // The process ends.
		if options.Shared, err = newSharedBudget(client, baseURL); err != nil {
			opened.close()
			return nil, err
		}
	}
	if opened.Pacer, err = pace.New(options); err != nil { //nolint:contextcheck // lives until it is closed
		opened.close()
		return nil, fmt.Errorf("config key upstream.budget: %w", err)
	}
	return opened, nil
}

func newSharedBudget(client redis.UniversalClient, baseURL string) (pace.Shared, error) {
	digest := sha256.Sum256([]byte("admin-gateway budget\x00" + baseURL))
	return pace.NewRedis(client, pace.RedisOptions{Organization: hex.EncodeToString(digest[:16])})
}

// budget is the pacer, as the sender and the operators see it.
type budget struct {
	*pace.Pacer
	events paceEvents
	close  func()
}

// Close ends the pacer, and then what it shares.
func (b *budget) Close() {
	b.Pacer.Close()
	b.close()
}
