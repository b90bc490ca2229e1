package upstream

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// Config says how to reach the upstream. Of the bounds, 0 means the default and
// a negative value is an error.
type Config struct {
	// BaseURL is the prefix of every endpoint's path, such as
	// https://api.openai.com/v1. It has no user, query or fragment.
	BaseURL string
	// AllowPlaintext lets BaseURL be http:// beyond loopback addresses. The
	// admin key then travels unencrypted.
	AllowPlaintext bool
	// Key provides the admin key for every attempt. Required.
	Key KeySource

	// MaxBody bounds an answer in bytes, both as it arrives and decompressed;
	// default 32 MiB.
	MaxBody int64

	// DialTimeout bounds a TCP connect; default 5 s.
	DialTimeout time.Duration
	// TLSHandshakeTimeout bounds a handshake; default 5 s.
	TLSHandshakeTimeout time.Duration
	// ResponseHeaderTimeout bounds the wait between a request and its answer's
	// first bytes; default 30 s.
	ResponseHeaderTimeout time.Duration
	// TotalTimeout bounds an attempt from its first to its last byte; default
	// 60 s. The context's deadline holds besides.
	TotalTimeout time.Duration
	// IdleConnTimeout is how long an unused connection stays open; default 90 s.
	IdleConnTimeout time.Duration
	// MaxConns bounds the connections to the upstream; default 64.
	MaxConns int
	// PingAfter is how long an HTTP/2 connection may be silent before it is
	// pinged, and a TCP connection before it is probed, so that a dead one is
	// found before a call is; default 15 s. Neither is a request to the API, and
	// neither keeps an unused connection open beyond IdleConnTimeout.
	PingAfter time.Duration
	// PingTimeout is how long the answer to a ping may take before the connection
	// is given up, or a third of it for a probe; default 5 s.
	PingTimeout time.Duration

	// UserAgent is sent as it is; default "admin-gateway".
	UserAgent string
	// Logger gets a line for each failed attempt, without path values or
	// queries; nil discards.
	Logger *slog.Logger
	// Attempts counts attempts; nil counts nothing.
	Attempts AttemptMetrics
	// Tracer makes a span of each attempt, with verb, route and how it ended; nil
	// makes none.
	Tracer trace.Tracer
	// SendTraceparent sends the ids of the trace and of the span to the upstream, in
	// the header traceparent. Nothing else of a trace is sent.
	SendTraceparent bool
	// TLS configures connections; nil means the system's roots and TLS 1.2 or
	// later.
	TLS *tls.Config
	// Proxy chooses a proxy; nil means none, whatever the environment says.
	Proxy func(*http.Request) (*url.URL, error)
	// Transport replaces the client's own, for tests. DialTimeout, TLS, Proxy,
	// MaxConns, pings and the timeouts other than TotalTimeout then have no effect.
	Transport http.RoundTripper
}

func (c *Config) setDefaults() error {
	if c.Key == nil {
		return errors.New("no key source")
	}
	for _, bound := range []struct {
		name  string
		value *time.Duration
		or    time.Duration
	}{
		{"DialTimeout", &c.DialTimeout, 5 * time.Second},
		{"TLSHandshakeTimeout", &c.TLSHandshakeTimeout, 5 * time.Second},
		{"ResponseHeaderTimeout", &c.ResponseHeaderTimeout, 30 * time.Second},
		{"TotalTimeout", &c.TotalTimeout, 60 * time.Second},
		{"IdleConnTimeout", &c.IdleConnTimeout, 90 * time.Second},
		{"PingAfter", &c.PingAfter, 15 * time.Second},
		{"PingTimeout", &c.PingTimeout, 5 * time.Second},
	} {
		if err := setDefault(bound.name, bound.value, bound.or); err != nil {
			return err
		}
	}
	if c.MaxBody < 0 || c.MaxConns < 0 {
		return errors.New("MaxBody or MaxConns is negative")
	}
	if c.MaxBody == 0 {
		c.MaxBody = 32 << 20
	}
	if c.MaxConns == 0 {
		c.MaxConns = 64
	}
	if c.UserAgent == "" {
		c.UserAgent = "admin-gateway"
	}
	if strings.ContainsFunc(c.UserAgent, func(r rune) bool { return r < ' ' || r > '~' }) {
		return errors.New("UserAgent is not printable ASCII")
	}
	if c.Attempts == nil {
		c.Attempts = noAttempts{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// newTransport never takes a proxy from the environment, and leaves
// compression to readBody, which bounds it.
func newTransport(c *Config) *http.Transport {
	secure := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.TLS != nil {
		secure = c.TLS.Clone()
	}
	dialer := &net.Dialer{Timeout: c.DialTimeout, KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: c.PingAfter, Interval: c.PingTimeout, Count: 3,
	}}
	return &http.Transport{
		Proxy:                  c.Proxy,
		DialContext:            dialer.DialContext,
		TLSClientConfig:        secure,
		TLSHandshakeTimeout:    c.TLSHandshakeTimeout,
		ResponseHeaderTimeout:  c.ResponseHeaderTimeout,
		IdleConnTimeout:        c.IdleConnTimeout,
		MaxConnsPerHost:        c.MaxConns,
		MaxIdleConns:           c.MaxConns,
		MaxIdleConnsPerHost:    c.MaxConns,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: c.PingAfter, PingTimeout: c.PingTimeout},
	}
}

// parseBase returns the base URL without a trailing slash. Its errors do not
// repeat the URL, which may hold a password.
func parseBase(text string, plaintext bool) (string, error) {
	base, err := url.Parse(text)
	if err != nil {
		return "", errors.New("base URL: it cannot be parsed")
	}
	switch {
	case base.Scheme != "https" && base.Scheme != "http":
		return "", errors.New("base URL: it is not absolute with https:// (or http://)")
	case base.Hostname() == "":
		return "", errors.New("base URL: it has no host")
	case base.User != nil:
		return "", errors.New("base URL: it has a user or a password")
	case strings.ContainsAny(text, "?#"):
		return "", errors.New("base URL: it has a query or a fragment")
	case base.Scheme == "http" && !plaintext && !isLoopback(base.Hostname()):
		return "", errors.New("base URL: http:// would send the admin key unencrypted; use https://")
	}
	return strings.TrimRight(base.String(), "/"), nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
