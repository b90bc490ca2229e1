package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/internal/redisclient"
	"github.com/admin-gateway/admin-gateway/service/spending"
	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

func paceLimit(l config.Limit) pace.Limit { return pace.Limit{Calls: l.CallsPerMinute, Burst: l.Burst} }

// paceOptions compiles the config against the budgets that the catalog names. Any
// other name is an error.
func paceOptions(b config.Budget, names []string) (pace.Options, error) {
	o := pace.Options{
		Organization: paceLimit(b.Organization), Default: paceLimit(b.Default), Share: b.ReplicaShare, MintShare: b.MintShare,
		Buckets: make(map[string]pace.Limit),
	}
	for i, l := range b.Buckets {
		switch _, twice := o.Buckets[l.Name]; {
		case twice:
			return o, config.AtKey(fmt.Sprintf("upstream.budget.buckets[%d]", i), fmt.Errorf("%q is listed twice", l.Name))
		case !slices.Contains(names, l.Name):
			return o, config.AtKey(fmt.Sprintf("upstream.budget.buckets[%d]", i), fmt.Errorf("no method uses %q; gateway catalog lists the budgets", l.Name))
		}
		o.Buckets[l.Name] = pace.Limit{Calls: l.CallsPerMinute, Burst: l.Burst}
	}
	return o, nil
}

// openBudget makes the pacer. Replicas share their counts where the config names a
// Redis.
//
// The counts belong to the base URL and not to the admin key: a new key has the
// same organization, and the same budget.
//
// patience is how long Redis is waited for; 0 for as long as a call can wait.
func openBudget(ctx context.Context, opened *closers, conf config.Config, names []string, policy policySource, patience time.Duration, logger *slog.Logger) (*budget, error) {
	options, err := paceOptions(conf.Upstream.Budget, names)
	if err != nil {
		return nil, err
	}
	events := newPaceEvents(names)
	account := spending.New(spending.Options{Known: func(caller string) bool { return policy.Current().Has(caller) }})
	options.Logger, options.Metrics, options.Account = logger, events, account
	if conf.Cache.RedisURL != "" {
		client, err := openRedis(ctx, opened, conf.Cache, redisclient.Config{Patience: patience}, logger)
		if err != nil {
			return nil, err
		}
		if options.Shared, err = newSharedBudget(client, conf.Upstream.BaseURL, patience); err != nil {
			return nil, err
		}
	}
	pacer, err := pace.New(options) //nolint:contextcheck // It lives until it is closed.
	if err != nil {
		return nil, config.AtKey("upstream.budget", err)
	}
	opened.add(pacer)
	return &budget{pacer, account, events}, nil
}

func newSharedBudget(client redis.UniversalClient, baseURL string, patience time.Duration) (pace.Shared, error) {
	digest := sha256.Sum256([]byte("admin-gateway budget\x00" + baseURL))
	return pace.NewRedis(client, pace.RedisOptions{Organization: hex.EncodeToString(digest[:16]), CallTimeout: patience})
}

// budget is the pacer with its metrics, and the account of who spends what.
type budget struct {
	*pace.Pacer

	account *spending.Account
	events  paceEvents
}

func (b *budget) collectors() []prometheus.Collector {
	return append(b.events.collectors(), newBudgetCollector(b), b.account.Collector())
}
