package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/cache"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

func paceLimit(l config.Limit) pace.Limit { return pace.Limit{Calls: l.CallsPerMinute, Burst: l.Burst} }

// paceOptions compiles it against the names of the catalog's budgets: any other
// name is a slip.
func paceOptions(b config.Budget, names []string) (pace.Options, error) {
	o := pace.Options{
		Organization: paceLimit(b.Organization), Default: paceLimit(b.Default), Share: b.ReplicaShare,
		Buckets: make(map[string]pace.Limit),
	}
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
func openBudget(ctx context.Context, opened *closers, conf config.Config, names []string, logger *slog.Logger) (*budget, error) {
	options, err := paceOptions(conf.Upstream.Budget, names)
	if err != nil {
		return nil, err
	}
	events := newPaceEvents(names)
	options.Logger, options.Metrics = logger, events
	if conf.Cache.RedisURL != "" {
		client, err := openRedis(ctx, opened, conf.Cache, cache.RedisConfig{}, logger)
		if err != nil {
			return nil, err
		}
		if options.Shared, err = newSharedBudget(client, conf.Upstream.BaseURL); err != nil {
			return nil, err
		}
	}
	pacer, err := pace.New(options) //nolint:contextcheck // lives until it is closed
	if err != nil {
		return nil, fmt.Errorf("config key upstream.budget: %w", err)
	}
	opened.add(pacer)
	return &budget{pacer, events}, nil
}

func newSharedBudget(client redis.UniversalClient, baseURL string) (pace.Shared, error) {
	digest := sha256.Sum256([]byte("admin-gateway budget\x00" + baseURL))
	return pace.NewRedis(client, pace.RedisOptions{Organization: hex.EncodeToString(digest[:16])})
}

// budget is the pacer, and what it counts.
type budget struct {
	*pace.Pacer

	events paceEvents
}

func (b *budget) collectors() []prometheus.Collector {
	return append(b.events.collectors(), newBudgetCollector(b))
}
