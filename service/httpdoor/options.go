package httpdoor

import (
	"crypto/tls"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/bounds"
	"github.com/admin-gateway/admin-gateway/internal/connguard"
)

// Options configure a [Port]. The zero value is a working port without TLS. A
// value that is zero or less means the default; one beyond its bound means the
// bound.
type Options struct {
	// TLS protects the connections; nil: HTTP/2 in the clear, with prior
	// knowledge, and HTTP/1.1. Its NextProtos are HTTP/2 and HTTP/1.1, unless it has
	// others.
	TLS *tls.Config

	// MaxHeaderBytes bounds the header of a request, as net/http counts it;
	// default 64 KiB, at most 1 MiB.
	MaxHeaderBytes int
	// MaxConnections bounds the open connections, as [connguard.Listener] does: a
	// new one never waits, and takes the place of an anonymous one. Default 1024, at
	// least 2, at most 65536.
	MaxConnections int
	// MaxConcurrentStreams bounds the requests on one HTTP/2 connection; default
	// 250, at most 10000.
	MaxConcurrentStreams int

	// ReadHeaderTimeout is how long a header may take, the TLS handshake
	// included, and a connection to its first authenticated call, unless it makes
	// health checks; default 10 s, at most 2 min.
	ReadHeaderTimeout time.Duration
	// ReadTimeout is how long a request may take to come whole; default 2 min, at
	// most 1 h.
	ReadTimeout time.Duration
	// WriteTimeout is how long an answer may take from the request's header to
	// its end; default 3 min, at most a day. A handler may give an answer more.
	WriteTimeout time.Duration
	// IdleTimeout closes a connection without requests; default 2 min, at most a
	// day.
	IdleTimeout time.Duration
	// MaxConnectionAge, give or take a tenth, is the age from which a connection
	// answers one more request and is closed then (on HTTP/2 after those that are
	// under way), so that clients find new replicas and show a certificate again.
	// Default 30 min, at most a day.
	MaxConnectionAge time.Duration
	// PingAfter is how long an HTTP/2 connection may be silent before the port
	// sends a ping, and PingTimeout how long the client may take to answer it.
	// Default 1 min and 20 s, at most a day and 5 min.
	PingAfter   time.Duration
	PingTimeout time.Duration

	// Counters count the connections; nil counts for nobody.
	Counters *connguard.Counters

	// DrainTimeout is how long requests in flight may take to end when the port
	// is closed; default 15 s, at most 10 min.
	DrainTimeout time.Duration
}

// settled fills defaults in and holds values to their bounds.
func (o Options) settled() Options {
	if o.TLS != nil {
		o.TLS = o.TLS.Clone()
		if len(o.TLS.NextProtos) == 0 {
			o.TLS.NextProtos = []string{"h2", "http/1.1"}
		}
	}
	bounds.Settle(&o.MaxHeaderBytes, 64<<10, 1<<20)
	bounds.Settle(&o.MaxConnections, 1024, 65536)
	bounds.Settle(&o.MaxConcurrentStreams, 250, 10_000)
	bounds.Settle(&o.ReadHeaderTimeout, 10*time.Second, 2*time.Minute)
	bounds.Settle(&o.ReadTimeout, 2*time.Minute, time.Hour)
	bounds.Settle(&o.WriteTimeout, 3*time.Minute, bounds.Day)
	bounds.Settle(&o.IdleTimeout, 2*time.Minute, bounds.Day)
	bounds.Settle(&o.MaxConnectionAge, 30*time.Minute, bounds.Day)
	bounds.Settle(&o.PingAfter, time.Minute, bounds.Day)
	bounds.Settle(&o.PingTimeout, 20*time.Second, 5*time.Minute)
	bounds.Settle(&o.DrainTimeout, 15*time.Second, 10*time.Minute)
	return o
}

// slack is by how much the deadlines of a caller's connection may be early: by little
// beside each of them.
func (o Options) slack() time.Duration {
	return min(o.ReadHeaderTimeout, o.ReadTimeout, o.WriteTimeout, o.IdleTimeout) / 64
}
