package build

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/internal/connguard"
	"github.com/admin-gateway/admin-gateway/service/httpdoor"
)

// Listener serves an HTTP handler on one address.
type Listener struct {
	listener net.Listener
	port     *httpdoor.Port
	secure   bool // it serves TLS
}

// Listen listens on the address. [Listener.Run] serves it, and [Listener.Close]
// releases it.
func Listen(ctx context.Context, address string, handler http.Handler, options httpdoor.Options) (*Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return &Listener{listener: l, port: httpdoor.New(handler, options), secure: options.TLS != nil}, nil
}

// Address returns host:port with the real port, or "" for a nil listener.
func (l *Listener) Address() string {
	if l == nil {
		return ""
	}
	return l.listener.Addr().String()
}

// URL returns the base URL for clients.
func (l *Listener) URL() string {
	if l.secure {
		return "https://" + l.Address()
	}
	return "http://" + l.Address()
}

// Run serves until ctx ends, and then drains requests in flight.
func (l *Listener) Run(ctx context.Context) error { return l.port.Serve(ctx, l.listener) }

// Close releases the address. It has no effect after Run, which releases it too.
func (l *Listener) Close() { _ = l.listener.Close() }

// openListener opens the callers' listener.
func openListener(ctx context.Context, opened *closers, conf config.Config, handler http.Handler, secure *tls.Config, connections *connguard.Metrics) (*Listener, error) {
	drain, _, _ := conf.Shutdown.Split()
	options := httpOptions(conf.Limits, secure, drain)
	options.Counters = connections.Of("listen")
	l, err := Listen(ctx, conf.Listen, handler, options)
	if err != nil {
		return nil, err
	}
	opened.add(l)
	return l, nil
}

// httpOptions applies the limits to a listener of net/http.
func httpOptions(l config.Limits, secure *tls.Config, drain time.Duration) httpdoor.Options {
	return httpdoor.Options{
		TLS: secure, MaxHeaderBytes: int(l.HeaderBytes), MaxConnections: l.Connections, MaxConcurrentStreams: l.ConcurrentStreams,
		ReadHeaderTimeout: l.ReadHeaderTimeout, ReadTimeout: l.ReadTimeout, IdleTimeout: l.IdleTimeout,
		// A slow reader gets a minute more than the call.
		WriteTimeout:     max(l.LongestCall, l.ReadTimeout) + time.Minute,
		MaxConnectionAge: l.ConnectionAge, DrainTimeout: drain,
	}
}
