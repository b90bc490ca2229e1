package build

import (
	"context"
	"crypto/tls"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/cache"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/internal/redisclient"
	"github.com/admin-gateway/admin-gateway/service/authn"
	"github.com/admin-gateway/admin-gateway/service/callers"
	"github.com/admin-gateway/admin-gateway/upstream"
	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

// Parts makes components of a config, each by itself and as [New] makes them, for those
// who want to know what a gateway would find. What it makes is in use until Close.
type Parts struct {
	// Config, Catalog and Policy have passed [Check].
	Config  config.Config
	Catalog *Catalog
	Policy  *callers.Set

	opened closers
	logger *slog.Logger
}

// NewParts makes none yet. Close them.
func NewParts(conf config.Config, catalog *Catalog, policy *callers.Set) *Parts {
	return &Parts{Config: conf, Catalog: catalog, Policy: policy, logger: slog.New(slog.DiscardHandler)}
}

// Close closes all that was made.
func (p *Parts) Close() error { return p.opened.Close() }

// Secret reads a secret.
func (p *Parts) Secret(ctx context.Context, ref config.SecretRef) (upstream.Secret, error) {
	return keySource(ref, p.logger).Key(ctx)
}

// Header reads the value of a header, and keeps it to itself.
func (p *Parts) Header(h config.Header) error {
	_, err := headerValue(h)
	return err
}

// EncryptionKeys reads the keys that encrypt Redis, and tells whether they are such keys.
func (p *Parts) EncryptionKeys(ctx context.Context) error {
	_, err := sealerOf(ctx, p.Config.Cache.EncryptionKeys, p.logger)
	return err
}

// FingerprintKey reads the key of the fingerprints in records.
func (p *Parts) FingerprintKey(ctx context.Context) error {
	_, err := FingerprintKey(ctx, p.Config.Audit, p.logger)
	return err
}

// TLS is the configuration of the callers' listeners; nil for none. With SPIFFE it waits
// for the first certificate.
func (p *Parts) TLS(ctx context.Context) (*tls.Config, error) {
	return openTLS(ctx, &p.opened, p.Config.TLS, p.logger)
}

// OpsTLS is the configuration of the operators' listener; nil for none.
func (p *Parts) OpsTLS(ctx context.Context) (*tls.Config, error) {
	return openOpsTLS(ctx, p.Config.OpsTLS, p.logger)
}

// Redis makes a client that waits for Redis as long as the ledger does.
func (p *Parts) Redis(ctx context.Context) (redis.UniversalClient, error) {
	return openRedis(ctx, &p.opened, p.Config.Cache, redisclient.Config{Patience: ledgerPatience}, p.logger)
}

// SharedCache makes the store of answers in Redis, which waits as long.
func (p *Parts) SharedCache(ctx context.Context) (*cache.Redis, error) {
	shared, err := cache.NewRedis(func(onConnect func(context.Context, *redis.Conn) error) (redis.UniversalClient, error) { //nolint:contextcheck // It lives until it is closed.
		return redisClient(ctx, p.Config.Cache, redisclient.Config{OnConnect: onConnect, Patience: ledgerPatience}, p.logger)
	}, cache.RedisOptions{Lease: writeLease, CallTimeout: ledgerPatience, SlowCall: ledgerPatience})
	if err != nil {
		return nil, err
	}
	p.opened.add(shared)
	return shared, nil
}

// Issuers are those whose JWTs are accepted.
func (p *Parts) Issuers() []authn.Issuer { return issuers(p.Config.Authn) }

// Upstream makes the client of the upstream, which spends the budget that all replicas
// share, and its pacer.
func (p *Parts) Upstream(ctx context.Context) (*upstream.Sender, *pace.Pacer, error) {
	spending, err := openBudget(ctx, &p.opened, p.Config, p.Catalog.Budgets(), fixedPolicy{p.Policy}, ledgerPatience, p.logger)
	if err != nil {
		return nil, nil, err
	}
	exports, err := openTelemetry(ctx, &p.opened, config.Telemetry{}, "", p.logger)
	if err != nil {
		return nil, nil, err
	}
	key := upstream.PerCall(keySource(p.Config.Upstream.AdminKey, p.logger))
	sender, err := openUpstream(&p.opened, p.Config, key, p.Catalog, spending, exports, prometheus.NewRegistry(), p.logger) //nolint:contextcheck // The breaker logs outside of calls.
	return sender, spending.Pacer, err
}
