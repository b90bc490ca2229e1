package build

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/cache"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/readcache"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// writeLease is how long an unfinished write, whose process died, keeps the answers
// that it affects out of the caches. It follows from the longest call that can be
// configured: a lease that ends before its write would let a read store what the
// write is about to change. Twice as long leaves time to close the write after a
// call that took all of its time.
const writeLease = 2 * service.DefaultLongestCall

// readCache is the cache of answers: memory, in front of Redis where the config
// names one.
type readCache struct {
	answers *readcache.Cache
	tiered  *cache.Tiered
	// shared is the store in Redis. It is nil without Redis.
	shared *cache.Redis
	events cacheEvents
	// settle is the time from the closing of the doors until invalidations that Redis
	// lacks have to be there, and closing when that was.
	settle  time.Duration
	closing atomic.Int64
	logger  *slog.Logger
}

func openCache(ctx context.Context, opened *closers, conf config.Config, key *upstream.CallKeys, methods *Catalog, logger *slog.Logger) (*readCache, error) {
	c, r := conf.Cache, &readCache{events: newCacheEvents(), logger: logger}
	calls, settle, _ := conf.Shutdown.Split()
	r.settle = calls + settle
	org := organization(conf.Upstream.BaseURL, key.Key)
	declared, err := lives(c, methods)
	if err != nil {
		return nil, err
	}
	memory, err := cache.NewMemory(cache.MemoryOptions{MaxBytes: int64(c.Memory), Lease: writeLease, Metrics: r.events})
	if err != nil {
		return nil, config.AtKey("cache.memory", err)
	}
	tiers := cache.TieredOptions{Memory: memory, Convert: readcache.Converter(methods.Catalog), Metrics: r.events}
	var leases cache.Leases
	if c.RedisURL != "" {
		if r.shared, err = openShared(ctx, c, r.events, logger); err != nil {
			return nil, err
		}
		opened.add(r.shared)
		if err := join(ctx, r.shared, org); err != nil {
			return nil, refusedBy(c, err)
		}
		tiers.Bus, tiers.Way, leases = r.shared, buildID(), r.shared
		if tiers.Shared, err = sealed(ctx, r.shared, c.EncryptionKeys, r.events, logger); err != nil {
			return nil, config.AtKey("cache.encryption_keys", err)
		}
	}
	if r.tiered, err = cache.NewTiered(tiers); err != nil {
		return nil, err
	}
	r.answers, err = readcache.New(readcache.Options{
		Store: r.tiered, Near: memory, Shared: tiers.Shared, Leases: leases,
		Org: org, RecentOrg: organization(conf.Upstream.BaseURL, key.Recent), Lives: declared, Jitter: c.Jitter, Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	opened.add(r.answers)
	return r, nil
}

// Run receives the invalidations of other replicas until ctx ends, after the last
// call. Then it sends those of this replica that Redis lacks.
func (r *readCache) Run(ctx context.Context) error {
	r.tiered.Run(ctx)
	if r.shared == nil {
		return nil
	}
	// What is owed when the lease of this replica has ended, the others drop anyway.
	until := time.Now().Add(cache.DefaultMemberLease)
	if by := time.Unix(0, r.closing.Load()).Add(r.settle); by.Before(until) {
		until = by
	}
	settling, cancel := context.WithDeadline(context.WithoutCancel(ctx), until)
	defer cancel()
	if owed := r.shared.Settle(settling); owed > 0 {
		r.logger.WarnContext(ctx, "invalidations did not reach Redis; the other replicas drop all answers in a few seconds", "count", owed)
	}
	return nil
}

// closeBy notes when the doors closed.
func (r *readCache) closeBy(at time.Time) { r.closing.Store(at.UnixNano()) }

// degraded names an optional dependency that does not work. It returns "" when all
// work.
func (r *readCache) degraded() string {
	if r.shared == nil || r.shared.Available() {
		return ""
	}
	return "Redis does not answer, and each replica remembers for itself"
}

func (r *readCache) collectors() []prometheus.Collector {
	return []prometheus.Collector{
		r.events.total,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "gateway_degraded", Help: "1 while the gateway works without an optional component; /readyz says which.",
		}, func() float64 {
			if r.degraded() == "" {
				return 0
			}
			return 1
		}),
	}
}

// sealed encrypts the data for Redis, if the config has keys.
func sealed(ctx context.Context, store cache.Store, keys []config.SecretRef, events cache.Metrics, logger *slog.Logger) (cache.Store, error) {
	if len(keys) == 0 {
		return store, nil
	}
	raw, err := encryptionKeys(ctx, keys, logger)
	if err != nil {
		return nil, err
	}
	return cache.NewSealed(store, raw, events)
}

// lives compiles the lives of answers against the catalog.
func lives(c config.Cache, methods *Catalog) (catalog.Lives, error) {
	var overrides []catalog.LifeOverride
	for _, l := range c.Lives {
		overrides = append(overrides, catalog.LifeOverride{
			Of: l.Of, Fresh: l.Fresh, WhileRevalidate: l.StaleWhileRevalidate, IfError: l.StaleIfError, Settled: l.Settled,
		})
	}
	lives, err := methods.Lives(overrides)
	if err != nil {
		return nil, config.AtKey("cache.lives", err)
	}
	return lives, nil
}
