package main

import (
	"cmp"
	"crypto/tls"
	"log/slog"
	"time"

	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/grpcdoor"
	"github.com/admin-gateway/admin-gateway/service/httpdoor"
)

// limitsConfig bounds what connections may ask, of each listener alike.
type limitsConfig struct {
	// HeaderBytes bounds the header of a request, or the metadata of a call.
	HeaderBytes byteSize `yaml:"header_bytes"`
	// RequestBytes bounds a message of a caller, as it is sent and as it is after
	// decompression.
	RequestBytes byteSize `yaml:"request_bytes"`
	// ReadHeaderTimeout is how long a header, or the beginning of a connection,
	// may take.
	ReadHeaderTimeout time.Duration `yaml:"read_header_timeout"`
	// ReadTimeout is how long a whole request may take to come.
	ReadTimeout time.Duration `yaml:"read_timeout"`
	// IdleTimeout closes a connection without requests.
	IdleTimeout time.Duration `yaml:"idle_timeout"`
	// LongestCall ends a call whose caller sets no earlier deadline.
	LongestCall time.Duration `yaml:"longest_call"`
	// ConcurrentStreams bounds the calls on one HTTP/2 connection.
	ConcurrentStreams int `yaml:"concurrent_streams"`
	// Connections bounds the open connections of a listener.
	Connections int `yaml:"connections"`
	// ConnectionAge is when a client is asked to connect anew.
	ConnectionAge time.Duration `yaml:"connection_age"`
}

// shutdownConfig says how the gateway ends.
type shutdownConfig struct {
	// Delay is how long it goes on as before, but for saying that it is not ready:
	// whoever sends callers here has to hear of it first.
	Delay time.Duration `yaml:"delay"`
	// Timeout bounds the end as a whole, with the delay.
	Timeout time.Duration `yaml:"timeout"`
}

func defaultLimits() limitsConfig {
	return limitsConfig{
		HeaderBytes: 64 << 10, RequestBytes: 1 << 20,
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute,
		LongestCall:       service.DefaultLongestCall,
		ConcurrentStreams: 100, Connections: 1024, ConnectionAge: 30 * time.Minute,
	}
}

func (l *limitsConfig) settings() []setting {
	return []setting{
		{"limits.header_bytes", &l.HeaderBytes},
		{"limits.request_bytes", &l.RequestBytes},
		{"limits.read_header_timeout", &l.ReadHeaderTimeout},
		{"limits.read_timeout", &l.ReadTimeout},
		{"limits.idle_timeout", &l.IdleTimeout},
		{"limits.longest_call", &l.LongestCall},
		{"limits.concurrent_streams", &l.ConcurrentStreams},
		{"limits.connections", &l.Connections},
		{"limits.connection_age", &l.ConnectionAge},
	}
}

// check holds every value to its bounds.
func (l *limitsConfig) check(fault func(key, format string, args ...any)) {
	within(fault, "limits.header_bytes", l.HeaderBytes, 4<<10, 1<<20)
	within(fault, "limits.request_bytes", l.RequestBytes, 4<<10, 16<<20)
	within(fault, "limits.read_header_timeout", l.ReadHeaderTimeout, 100*time.Millisecond, 2*time.Minute)
	within(fault, "limits.read_timeout", l.ReadTimeout, 100*time.Millisecond, 10*time.Minute)
	within(fault, "limits.idle_timeout", l.IdleTimeout, time.Second, time.Hour)
	// What a write holds in the caches is given up after twice the longest call.
	within(fault, "limits.longest_call", l.LongestCall, time.Second, service.DefaultLongestCall)
	within(fault, "limits.concurrent_streams", l.ConcurrentStreams, 1, 10_000)
	within(fault, "limits.connections", l.Connections, 1, 65536)
	within(fault, "limits.connection_age", l.ConnectionAge, time.Second, 24*time.Hour)
}

func (s *shutdownConfig) check(fault func(key, format string, args ...any)) {
	within(fault, "shutdown.delay", s.Delay, 0, 5*time.Minute)
	within(fault, "shutdown.timeout", s.Timeout, time.Second, 15*time.Minute)
	if s.Timeout <= s.Delay {
		fault("shutdown.timeout", "%s leave no time after the delay of %s", s.Timeout, s.Delay)
	}
}

func within[T cmp.Ordered](fault func(key, format string, args ...any), key string, value, least, most T) {
	if value < least || value > most {
		fault(key, "%v is not within %v and %v", value, least, most)
	}
}

// split says how long calls may take to end, and how long the last records after
// them: a quarter of what is left after the delay, and no more than it takes.
func (s shutdownConfig) split() (calls, flush time.Duration) {
	left := s.Timeout - s.Delay
	flush = min(auditFlush, left/4)
	return left - flush, flush
}

// port is the options of a listener of net/http.
func (l limitsConfig) port(secure *tls.Config, drain time.Duration) httpdoor.Options {
	return httpdoor.Options{
		TLS: secure, MaxHeaderBytes: int(l.HeaderBytes), MaxConnections: l.Connections, MaxConcurrentStreams: l.ConcurrentStreams,
		ReadHeaderTimeout: l.ReadHeaderTimeout, ReadTimeout: l.ReadTimeout, IdleTimeout: l.IdleTimeout,
		// Who reads slowly has a minute more than the call.
		WriteTimeout:     max(l.LongestCall, l.ReadTimeout) + time.Minute,
		MaxConnectionAge: l.ConnectionAge, DrainTimeout: drain,
	}
}

// fast is the options of the gRPC door, where a stream may last for longestStream.
func (l limitsConfig) fast(secure *tls.Config, drain, longestStream time.Duration, logger *slog.Logger) grpcdoor.Options {
	return grpcdoor.Options{
		TLS: secure, Codec: service.BinaryCodec(), Logger: logger, MaxHeaderBytes: int(l.HeaderBytes), MaxRequestBytes: int(l.RequestBytes),
		MaxConnections: l.Connections, MaxConcurrentStreams: l.ConcurrentStreams,
		ConnectionTimeout: l.ReadHeaderTimeout, MaxConnectionIdle: l.IdleTimeout,
		// An old connection gets no new calls, and keeps those that it has.
		MaxConnectionAge: l.ConnectionAge, MaxConnectionAgeGrace: longestStream + time.Minute, DrainTimeout: drain,
	}
}
