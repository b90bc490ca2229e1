package httpdoor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/connguard"
)

// lastRequest is how long a new connection may take to its first request when the
// port is closed.
const lastRequest = time.Second

// Port serves a handler. It is for one call of [Port.Serve].
type Port struct {
	server  *http.Server
	handler http.Handler
	options Options
	leaving atomic.Bool
}

// New makes a port. The handler gets the http.ResponseWriter of net/http.
func New(handler http.Handler, options Options) *Port {
	p := &Port{handler: handler, options: options.settled()}
	o := p.options
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	p.server = &http.Server{
		Handler:           p,
		Protocols:         protocols,
		MaxHeaderBytes:    o.MaxHeaderBytes,
		ReadHeaderTimeout: o.ReadHeaderTimeout,
		ReadTimeout:       o.ReadTimeout,
		WriteTimeout:      o.WriteTimeout,
		IdleTimeout:       o.IdleTimeout,
		ConnContext:       withConn,
		// It would log errors of clients, with their texts.
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          o.MaxConcurrentStreams,
			MaxReadFrameSize:              largestFrame,
			MaxReceiveBufferPerStream:     64 << 10,
			MaxReceiveBufferPerConnection: 1 << 20,
			SendPingTimeout:               o.PingAfter,
			PingTimeout:                   o.PingTimeout,
			WriteByteTimeout:              30 * time.Second,
		},
	}
	return p
}

// ServeHTTP serves a request on a connection of the port.
func (p *Port) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, ok := r.Context().Value(connKey{}).(*conn)
	if !ok {
		http.Error(w, "this handler is for its own port", http.StatusInternalServerError)
		return
	}
	c.begin()
	defer c.guard.Ended()
	r.TLS = c.tls()
	if r.ProtoMajor == 2 && r.Context().Err() != nil {
		return // It was canceled before it was handled.
	}
	if p.leaving.Load() || time.Now().After(c.old) {
		// On HTTP/2 net/http makes it a GOAWAY.
		w.Header().Set("Connection", "close")
	}
	p.handler.ServeHTTP(w, r)
}

// Leave has every connection that gets a request closed after it, so that clients
// go elsewhere while they are still served here.
func (p *Port) Leave() { p.leaving.Store(true) }

// Serve serves l, which it closes, until ctx ends. Then clients get a GOAWAY or
// "Connection: close", requests in flight have [Options].DrainTimeout to end,
// and the rest is cut off. The error is nil when all requests came to their end.
func (p *Port) Serve(ctx context.Context, l net.Listener) error {
	listener := newConns(connguard.NewListener(l, connguard.Options{
		Places: p.options.MaxConnections, FirstCall: p.options.ReadHeaderTimeout, HeaderBytes: p.options.MaxHeaderBytes,
		Counters: p.options.Counters,
	}), p.options)
	ended := make(chan error, 1)
	go func() { ended <- p.server.Serve(listener) }()
	select {
	case err := <-ended:
		return errors.Join(fmt.Errorf("serve %s: %w", l.Addr(), err), p.server.Close())
	case <-ctx.Done():
	}
	p.Leave()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.options.DrainTimeout)
	defer cancel()
	err := listener.leave(min(lastRequest, p.options.DrainTimeout))
	if served := <-ended; !errors.Is(served, net.ErrClosed) { // A closed listener is expected.
		err = errors.Join(err, served)
	}
	if late := p.server.Shutdown(drain); late != nil {
		err = errors.Join(err, fmt.Errorf("requests on %s did not finish within %s: %w", l.Addr(), p.options.DrainTimeout, late), p.server.Close())
	}
	return err
}
