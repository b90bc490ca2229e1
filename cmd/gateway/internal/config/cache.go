package config

import (
	"net/url"
	"strings"
	"time"
)

// Cache bounds the cache of answers, and names the Redis that replicas share.
type Cache struct {
	Memory   ByteSize `yaml:"memory"`
	RedisURL string   `yaml:"redis_url"`
	// RedisPassword replaces the password of the URL.
	RedisPassword SecretRef `yaml:"redis_password"`
	// RedisCAFile holds the authorities that may sign the certificate of Redis. An
	// empty path means those of the system.
	RedisCAFile string `yaml:"redis_ca_file"`
	// RedisCertFile and RedisKeyFile are the client certificate for Redis, if any.
	RedisCertFile string `yaml:"redis_cert_file"`
	RedisKeyFile  string `yaml:"redis_key_file"`
	// EncryptionKeys encrypt the data in Redis. The first key encrypts; the second,
	// if any, only decrypts.
	EncryptionKeys []SecretRef `yaml:"encryption_keys"`
	// Lives override the declared lives of answers.
	Lives []Life `yaml:"lives"`
	// Jitter is the largest fraction of a fresh life that is subtracted at random.
	Jitter float64 `yaml:"jitter"`
}

// Life overrides the lives of the answers to one read, or to all reads of a
// resource. A nil field leaves the declared value.
type Life struct {
	Of                   string         `yaml:"of"`
	Fresh                *time.Duration `yaml:"fresh"`
	StaleWhileRevalidate *time.Duration `yaml:"stale_while_revalidate"`
	StaleIfError         *time.Duration `yaml:"stale_if_error"`
	Settled              *time.Duration `yaml:"settled"`
}

// checkRedis reports a password that is set twice, or without a Redis.
func (c Cache) checkRedis(fault func(key, format string, args ...any)) {
	const key = "cache.redis_password"
	switch p := c.RedisPassword; {
	case p == SecretRef{}:
	case p.Env != "" && p.File != "":
		fault(key, "set either env or file")
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

// checkRedisTLS reports files that would not be read, and halves of a pair.
func (c Cache) checkRedisTLS(fault func(key, format string, args ...any)) {
	for key, path := range map[string]string{
		"cache.redis_ca_file": c.RedisCAFile, "cache.redis_cert_file": c.RedisCertFile, "cache.redis_key_file": c.RedisKeyFile,
	} {
		switch {
		case path == "":
		case c.RedisURL == "":
			fault(key, "goes with redis_url")
		case !strings.HasPrefix(c.RedisURL, "rediss"):
			fault(key, "redis_url is not rediss://, rediss+sentinel:// or rediss+cluster://, so the connection has no TLS")
		}
	}
	switch {
	case c.RedisCertFile != "" && c.RedisKeyFile == "":
		fault("cache.redis_cert_file", "goes with redis_key_file, the private key of the certificate")
	case c.RedisKeyFile != "" && c.RedisCertFile == "":
		fault("cache.redis_key_file", "goes with redis_cert_file, the certificate of the key")
	}
}
