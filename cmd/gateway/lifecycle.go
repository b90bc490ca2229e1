package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/admin-gateway/admin-gateway/service"
)

// drainTimeout is how long calls in flight may take to finish.
const drainTimeout = 15 * time.Second

// listener is an address that a command serves.
type listener struct {
	net.Listener
	handler http.Handler
	secure  *tls.Config // nil: without TLS
}

func listen(ctx context.Context, address string, handler http.Handler) (listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return listener{}, fmt.Errorf("listen on %s: %w", address, err)
	}
	return listener{Listener: l, handler: handler}, nil
}

func (l listener) url() string { return "http://" + l.Addr().String() }

// release gives the address back when it was never served; serve closes what it
// has served itself.
func (l listener) release() { _ = l.Close() }

// serve serves all listeners until ctx ends or one fails, then lets calls in
// flight finish. All of its goroutines have ended when it returns.
func serve(ctx context.Context, listeners ...listener) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, l := range listeners {
		server := service.NewHTTPServer(l.handler)
		server.TLSConfig = l.secure
		start := func() error { return server.Serve(l) }
		if l.secure != nil {
			start = func() error { return server.ServeTLS(l, "", "") }
		}
		group.Go(func() error {
			if err := start(); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve %s: %w", l.Addr(), err)
			}
			return nil
		})
		group.Go(func() error {
			<-ctx.Done()
			drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
			defer cancel()
			if err := server.Shutdown(drain); err != nil {
				return errors.Join(fmt.Errorf("calls on %s did not finish within %s: %w", l.Addr(), drainTimeout, err), server.Close())
			}
			return nil
		})
	}
	return group.Wait()
}
