package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/admin-gateway/admin-gateway/service/httpdoor"
)

// listener is an address that a command serves.
type listener struct {
	net.Listener
	port *httpdoor.Port
}

func listen(ctx context.Context, address string, handler http.Handler, options httpdoor.Options) (listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return listener{}, fmt.Errorf("listen on %s: %w", address, err)
	}
	return listener{Listener: l, port: httpdoor.New(handler, options)}, nil
}

func (l listener) url() string { return "http://" + l.Addr().String() }

// release gives the address back when it was never served; serve closes what it
// has served itself.
func (l listener) release() { _ = l.Close() }

// serve serves until ctx ends, and then lets calls in flight finish.
func (l listener) serve(ctx context.Context) error { return l.port.Serve(ctx, l.Listener) }

// serve serves all listeners until ctx ends or one fails. All of its goroutines
// have ended when it returns.
func serve(ctx context.Context, listeners ...listener) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, l := range listeners {
		group.Go(func() error { return l.serve(ctx) })
	}
	return group.Wait()
}

// life is a gateway that runs, from its first call to its last.
type life struct {
	ready *readiness
	delay time.Duration
	// doors are where callers come in: they are closed first.
	doors []func(context.Context) error
	// leave asks those who come in to go elsewhere.
	leave func()
	// beside is what calls in flight need and operators look at: it ends when the
	// last call has.
	beside []func(context.Context) error
}

// run runs until ctx ends or something fails, and then ends in order:
//
//  1. The gateway says that it is not ready, while it goes on as before. Callers
//     hear of it in their time, which is the delay.
//  2. The doors are closed. Streams are told, calls in flight finish.
//  3. What they needed ends.
//
// What fails has no delay: who would be told is gone already. All goroutines
// have ended when it returns.
func (l life) run(ctx context.Context) error {
	// None of them ends by the signal itself.
	beside, stopBeside := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBeside()
	others, besideEnds := errgroup.WithContext(beside)
	for _, f := range l.beside {
		others.Go(func() error { return f(besideEnds) })
	}
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServing()
	callers, doorsEnd := errgroup.WithContext(serving)
	for _, f := range l.doors {
		callers.Go(func() error { return f(doorsEnd) })
	}

	failed := first(doorsEnd, besideEnds)
	select {
	case <-ctx.Done():
	case <-failed:
	}
	l.ready.drain()
	l.leave()
	select {
	case <-time.After(l.delay):
	case <-failed:
	}
	l.ready.health.Stop()
	stopServing()
	err := callers.Wait()
	stopBeside()
	return errors.Join(err, others.Wait())
}

// first is closed when one of two ends.
func first(a, b context.Context) <-chan struct{} {
	either, cancel := context.WithCancel(a)
	context.AfterFunc(b, cancel)
	return either.Done()
}
