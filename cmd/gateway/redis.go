package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/internal/redisclient"
	"github.com/admin-gateway/admin-gateway/service/authn"
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

// checkRedisTLS reports files that nobody would read, or that are half of what it
// takes.
func (c cacheConfig) checkRedisTLS(fault func(key, format string, args ...any)) {
	for key, path := range map[string]string{
		"cache.redis_ca_file": c.RedisCAFile, "cache.redis_cert_file": c.RedisCertFile, "cache.redis_key_file": c.RedisKeyFile,
	} {
		switch {
		case path == "":
		case c.RedisURL == "":
			fault(key, "goes with redis_url")
		case !strings.HasPrefix(c.RedisURL, "rediss"):
			fault(key, "redis_url is not rediss://, rediss+sentinel:// or rediss+cluster://, so that there is no TLS to use it for")
		}
	}
	switch {
	case c.RedisCertFile != "" && c.RedisKeyFile == "":
		fault("cache.redis_cert_file", "goes with redis_key_file, the private key of the certificate")
	case c.RedisKeyFile != "" && c.RedisCertFile == "":
		fault("cache.redis_key_file", "goes with redis_cert_file, the certificate of the key")
	}
}

// redisClient makes a client of the Redis that the config names. base is what
// the client needs besides.
func (c cacheConfig) redisClient(ctx context.Context, base redisclient.Config, logger *slog.Logger) (redis.UniversalClient, error) {
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
	files := authn.ClientTLSFiles{CAFile: c.RedisCAFile, CertFile: c.RedisCertFile, KeyFile: c.RedisKeyFile}
	if files != (authn.ClientTLSFiles{}) {
		var err error
		if base.TLS, err = authn.NewClientTLS(ctx, files, logger); err != nil {
			return nil, fmt.Errorf("config keys cache.redis_ca_file, redis_cert_file and redis_key_file: %w", err)
		}
	}
	client, err := redisclient.New(base)
	if err != nil {
		return nil, fmt.Errorf("config key cache.redis_url: %w", err)
	}
	return client, nil
}

// redisUser is the user that a URL names; "" for none.
func redisUser(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "" // [redisclient.New] says so, without the URL.
	}
	return u.User.Username()
}
