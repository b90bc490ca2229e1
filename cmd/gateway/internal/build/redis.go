package build

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"

	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/cache"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/service/authn"
)

// openRedis makes a client with connections of its own, which opened closes.
func openRedis(ctx context.Context, opened *closers, c config.Cache, base cache.RedisConfig, logger *slog.Logger) (redis.UniversalClient, error) {
	client, err := redisClient(ctx, c, base, logger)
	if err != nil {
		return nil, err
	}
	opened.addConnection(client)
	return client, nil
}

// redisClient makes a client of the Redis that the config names. base is what
// the client needs besides.
func redisClient(ctx context.Context, c config.Cache, base cache.RedisConfig, logger *slog.Logger) (redis.UniversalClient, error) {
	base.URL = c.RedisURL
	if (c.RedisPassword != config.SecretRef{}) {
		source := keySource(c.RedisPassword, logger)
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
	files := authn.ClientTLSFiles{CAFile: c.RedisCAFile, CertFile: c.RedisCertFile, KeyFile: c.RedisKeyFile}
	if files != (authn.ClientTLSFiles{}) {
		var err error
		if base.TLS, err = authn.NewClientTLS(ctx, files, logger); err != nil {
			return nil, fmt.Errorf("config keys cache.redis_ca_file, redis_cert_file and redis_key_file: %w", err)
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
