package build

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"

	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/internal/redisclient"
	"github.com/admin-gateway/admin-gateway/service/authn"
)

// openRedis makes a client with a separate pool of connections.
func openRedis(ctx context.Context, opened *closers, c config.Cache, base redisclient.Config, logger *slog.Logger) (redis.UniversalClient, error) {
	client, err := redisClient(ctx, c, base, logger)
	if err != nil {
		return nil, err
	}
	opened.addConnection(client)
	return client, nil
}

// redisClient makes a client for the Redis of the config. base holds the settings
// that are not in the config.
func redisClient(ctx context.Context, c config.Cache, base redisclient.Config, logger *slog.Logger) (redis.UniversalClient, error) {
	base.URL = c.RedisURL
	if (c.RedisPassword != config.SecretRef{}) {
		source := keySource(c.RedisPassword, logger)
		// An unreadable password is an error now, and not many failures of Redis.
		if _, err := source.Key(ctx); err != nil {
			return nil, config.AtKey("cache.redis_password", err)
		}
		user := redisUser(c.RedisURL)
		base.Credentials = func() (string, string) { //nolint:contextcheck // It is called long after ctx has ended.
			// On an error the source logs it and returns the last password.
			password, _ := source.Key(context.Background())
			return user, password.Reveal()
		}
	}
	files := authn.ClientTLSFiles{CAFile: c.RedisCAFile, CertFile: c.RedisCertFile, KeyFile: c.RedisKeyFile}
	if files != (authn.ClientTLSFiles{}) {
		var err error
		if base.TLS, err = authn.NewClientTLS(ctx, files, logger); err != nil {
			return nil, config.AtKey("cache.redis_ca_file", fmt.Errorf("with redis_cert_file and redis_key_file: %w", err))
		}
	}
	client, err := redisclient.New(base)
	if err != nil {
		return nil, config.AtKey("cache.redis_url", err)
	}
	return client, nil
}

// redisUser returns the user of a URL, or "".
func redisUser(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "" // [redisclient.New] reports the error without quoting the URL.
	}
	return u.User.Username()
}
