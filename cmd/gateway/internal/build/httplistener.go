package build

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/service/httpdoor"
)

// Listener serves a handler over HTTP at one address.
type Listener struct {
	listener net.Listener
	port     *httpdoor.Port
}

// Listen takes the address. [Listener.Run] serves it, and [Listener.Close] gives
// it back.
func Listen(ctx context.Context, address string, handler http.Handler, options httpdoor.Options) (*Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return &Listener{listener: l, port: httpdoor.New(handler, options)}, nil
}

// Address is host:port, with the port that an address with port 0 got; "" where
// there is no listener.
func (l *Listener) Address() string {
	if l == nil {
		return ""
	}
	return l.listener.Addr().String()
}

// URL is where clients without TLS find it.
func (l *Listener) URL() string { return "http://" + l.Address() }

// Run serves until ctx ends, and then lets requests in flight finish.
func (l *Listener) Run(ctx context.Context) error { return l.port.Serve(ctx, l.listener) }

// Close gives the address back. Run has done so already where it was called.
func (l *Listener) Close() { _ = l.listener.Close() }

// openListener listens for callers.
func openListener(ctx context.Context, opened *closers, conf config.Config, handler http.Handler, secure *tls.Config) (*Listener, error) {
	drain, _ := conf.Shutdown.Split()
	l, err := Listen(ctx, conf.Listen, handler, httpOptions(conf.Limits, secure, drain))
	if err != nil {
		return nil, err
	}
	opened.add(l)
	return l, nil
}

// httpOptions apply the limits to a listener of net/http.
func httpOptions(l config.Limits, secure *tls.Config, drain time.Duration) httpdoor.Options {
	return httpdoor.Options{
		TLS: secure, MaxHeaderBytes: int(l.HeaderBytes), MaxConnections: l.Connections, MaxConcurrentStreams: l.ConcurrentStreams,
		ReadHeaderTimeout: l.ReadHeaderTimeout, ReadTimeout: l.ReadTimeout, IdleTimeout: l.IdleTimeout,
		// Who reads slowly has a minute more than the call.
		WriteTimeout:     max(l.LongestCall, l.ReadTimeout) + time.Minute,
		MaxConnectionAge: l.ConnectionAge, DrainTimeout: drain,
	}
}
