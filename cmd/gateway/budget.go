package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/internal/redisclient"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

// budgetConfig says how much of the upstream's request budget may be spent.
type budgetConfig struct {
	Organization limitConfig    `yaml:"organization"`
	Default      limitConfig    `yaml:"default"`
	Buckets      []bucketConfig `yaml:"buckets"`
	// ReplicaShare is the part that each replica spends while Redis is lost.
	ReplicaShare float64 `yaml:"replica_share"`
}

// limitConfig is what a bucket allows.
type limitConfig struct {
	CallsPerMinute float64 `yaml:"calls_per_minute"`
	Burst          int     `yaml:"burst"`
}

// bucketConfig is what the bucket of a name allows.
type bucketConfig struct {
	Name           string  `yaml:"name"`
	CallsPerMinute float64 `yaml:"calls_per_minute"`
	Burst          int     `yaml:"burst"`
}

func (l limitConfig) limit() pace.Limit { return pace.Limit{Calls: l.CallsPerMinute, Burst: l.Burst} }

// defaultBudget is careful: nobody knows what a key may spend until it is
// refused. docs/upstream.md says how to size it.
func defaultBudget() budgetConfig {
	return budgetConfig{
		Organization: limitConfig{CallsPerMinute: 60, Burst: 5},
		Default:      limitConfig{CallsPerMinute: 7, Burst: 2},
		ReplicaShare: 1.0 / 3,
	}
}

// options compiles it against the catalog: a name that no method spends is a slip.
func (b budgetConfig) options(catalog *service.Catalog) (pace.Options, error) {
	o := pace.Options{
		Organization: b.Organization.limit(), Default: b.Default.limit(), Share: b.ReplicaShare,
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
func openBudget(ctx context.Context, b budgetConfig, shared cacheConfig, baseURL string, catalog *service.Catalog, logger *slog.Logger) (*budget, error) {
	options, err := b.options(catalog)
	if err != nil {
		return nil, err
	}
	opened := &budget{events: newPaceEvents(catalog.Budgets()), close: func() {}}
	options.Logger, options.Metrics = logger, opened.events
	if shared.RedisURL != "" {
		client, err := shared.redisClient(ctx, redisclient.Config{}, logger)
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
