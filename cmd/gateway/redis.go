package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"

	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/cache"
)

// checkRedis reports a password that is in two places, or that nobody asks for.
func (c cacheConfig) checkRedis(fault func(key, format string, args ...any)) {
	const key = "cache.redis_password"
	switch p := c.RedisPassword; {
	case p == keyConfig{}:
	case p.Env != "" && p.File != "":
		fault(key, "either env or file")
	case c.RedisURL == "":
		fault(key, "goes with redis_url")
	default:
		if u, err := url.Parse(c.RedisURL); err == nil && u.User != nil {
			if _, twice := u.User.Password(); twice {
				fault(key, "redis_url has a password too")
			}
		}
	}
}

// redisClient makes a client of the Redis that the config names. base is what
// the client needs besides.
func (c cacheConfig) redisClient(ctx context.Context, base cache.RedisConfig, logger *slog.Logger) (redis.UniversalClient, error) {
	base.URL = c.RedisURL
	if (c.RedisPassword != keyConfig{}) {
		source := c.RedisPassword.source(logger)
		// One that cannot be read is an error now, and not as many failures of Redis.
		if _, err := source.Key(ctx); err != nil {
			return nil, fmt.Errorf("config key cache.redis_password: %w", err)
		}
		user := redisUser(c.RedisURL)
		base.Credentials = func() (string, string) { //nolint:contextcheck // asked long after ctx
			// The source tells the logger of trouble, and goes on with the last one.
			password, _ := source.Key(context.Background())
			return user, password.Reveal()
		}
	}
	client, err := cache.NewRedisClient(base)
	if err != nil {
		return nil, fmt.Errorf("config key cache.redis_url: %w", err)
	}
	return client, nil
}

// redisUser is the user that a URL names; "" for none.
func redisUser(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "" // [cache.NewRedisClient] says so, without the URL.
	}
	return u.User.Username()
}
