package config

import (
	"net/url"
	"strings"
	"time"
)

// Cache bounds what is remembered, and says where replicas share it.
type Cache struct {
	Memory   ByteSize `yaml:"memory"`
	RedisURL string   `yaml:"redis_url"`
	// RedisPassword, where it is set, takes the place of the URL's.
	RedisPassword SecretRef `yaml:"redis_password"`
	// RedisCAFile has the authorities of Redis' certificate; "" is the system's.
	RedisCAFile string `yaml:"redis_ca_file"`
	// RedisCertFile and RedisKeyFile are by what the gateway is known to Redis; ""
	// for neither.
	RedisCertFile string `yaml:"redis_cert_file"`
	RedisKeyFile  string `yaml:"redis_key_file"`
	// EncryptionKeys are those with which what is in Redis is encrypted: the
	// first encrypts, the second, if there is one, still decrypts.
	EncryptionKeys []SecretRef `yaml:"encryption_keys"`
	// Lives are those of answers, where they are not as the catalog declares them.
	Lives []Life `yaml:"lives"`
	// Jitter is the largest part of an answer's freshness that is taken off by
	// chance.
	Jitter float64 `yaml:"jitter"`
}

// Life changes how long the answers to a read, or to all reads of a
// resource, may be used. What it leaves out stays as it is declared.
type Life struct {
	Of                   string         `yaml:"of"`
	Fresh                *time.Duration `yaml:"fresh"`
	StaleWhileRevalidate *time.Duration `yaml:"stale_while_revalidate"`
	StaleIfError         *time.Duration `yaml:"stale_if_error"`
	Settled              *time.Duration `yaml:"settled"`
}

// checkRedis reports a password that is in two places, or that nobody asks for.
func (c Cache) checkRedis(fault func(key, format string, args ...any)) {
	const key = "cache.redis_password"
	switch p := c.RedisPassword; {
	case p == SecretRef{}:
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
func (c Cache) checkRedisTLS(fault func(key, format string, args ...any)) {
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
