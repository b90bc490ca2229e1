package build

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/cache"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/internal/redisclient"
)

// openShared opens the store in Redis. Its loss and its return are lines in the log.
func openShared(ctx context.Context, c config.Cache, events cacheEvents, logger *slog.Logger) (*cache.Redis, error) {
	connect := func(onConnect func(context.Context, *redis.Conn) error) (redis.UniversalClient, error) {
		return redisClient(ctx, c, redisclient.Config{OnConnect: onConnect}, logger)
	}
	changed := func(err error) {
		if err != nil {
			logger.WarnContext(ctx, "Redis is lost: each replica caches and counts for itself", "error", err.Error())
			return
		}
		logger.InfoContext(ctx, "Redis is back")
	}
	return cache.NewRedis(connect, cache.RedisOptions{Lease: writeLease, Metrics: events, Changed: changed}) //nolint:contextcheck // It lives until it is closed.
}

// joinAttempts is the number of attempts to reach Redis at the start. The first
// connection may take longer than a call is allowed to.
const joinAttempts = 3

// join asks Redis for the first time. A Redis that cannot be reached is no error: the
// gateway serves without. One that refuses the login is an error.
func join(ctx context.Context, shared *cache.Redis, org func(context.Context) (string, error)) error {
	name, err := org(ctx)
	if err != nil {
		return err
	}
	for range joinAttempts {
		if err = shared.Join(ctx, name); err == nil || redisclient.RefusedLogin(err) {
			return err
		}
	}
	return nil
}

// refusedBy names the config key of a refused login.
func refusedBy(c config.Cache, err error) error {
	if !redisclient.RefusedLogin(err) {
		return err
	}
	key := "cache.redis_url"
	if (c.RedisPassword != config.SecretRef{}) {
		key = "cache.redis_password"
	}
	return config.AtKey(key, fmt.Errorf("the login was refused, or the user of Redis may not run a command that docs/caching.md lists: %w", err))
}
