package grpcdoor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/admin-gateway/admin-gateway/internal/connguard"
)

// Windows of flow control: what a client may send before a handler reads it. A
// message that is being read gets the room that it needs. They do not grow by
// themselves, or a client could make the door hold megabytes that no handler
// reads.
const (
	streamWindow     = 64 << 10
	connectionWindow = 1 << 20
)

// standing is how many goroutines wait for calls, with stacks that have grown to
// what a call needs: growing them anew is a fifth of what a small call costs. A
// call for which none of them is free gets a new one.
const standing = 256

// Door serves a [connect.Server] over gRPC. It has no state between calls of
// Serve and is safe for concurrent use.
type Door struct {
	server  *connect.Server
	options Options
	specs   map[string]connect.Spec
	opener  *opener
}

// New makes a door onto the methods that are registered with server at this
// time.
func New(server *connect.Server, options Options) *Door {
	d := &Door{server: server, options: options.settled(), specs: make(map[string]connect.Spec)}
	d.opener = newOpener(d.options.MaxRequestBytes)
	for spec := range server.Specs() {
		d.specs[spec.Procedure] = spec
	}
	return d
}

// Serve serves l, which it closes, until ctx ends. Then clients get a GOAWAY,
// calls in flight have [Options].DrainTimeout to end, and the rest is canceled.
// All goroutines have ended when it returns. The error is nil when all calls
// came to their end.
func (d *Door) Serve(ctx context.Context, l net.Listener) error {
	var writes sync.WaitGroup
	defer writes.Wait()
	conns := newGreeted(connguard.NewListener(l, connguard.Options{
		Places: d.options.MaxConnections, FirstCall: d.options.ConnectionTimeout, Counters: d.options.Counters,
	}))
	server := grpc.NewServer(append(d.serverOptions(), grpc.UnknownServiceHandler(func(_ any, wire grpc.ServerStream) error { //nolint:contextcheck // The stream has its own.
		in := inboundOf(wire.Context())
		defer count(in)
		if in.Err() != nil {
			return nil // It was canceled before it was handled.
		}
		return d.call(wire, in, &writes)
	}))...)
	var failed error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		failed = server.Serve(conns)
	}()
	select {
	case <-ended:
		server.Stop()
		return fmt.Errorf("serve gRPC on %s: %w", l.Addr(), failed)
	case <-ctx.Done():
	}
	// grpc-go waits for connections that have not yet sent anything before it
	// sends a GOAWAY to the others. They have no calls, so they must not use up
	// the time of the others.
	closed := conns.Close()
	conns.closeSilent()
	err := d.drain(server)
	<-ended // Its error is that the listener was closed.
	if err == nil && closed != nil && !errors.Is(closed, net.ErrClosed) {
		err = fmt.Errorf("close %s: %w", l.Addr(), closed)
	}
	return err
}

func (d *Door) drain(server *grpc.Server) error {
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		server.GracefulStop()
	}()
	deadline := time.NewTimer(d.options.DrainTimeout)
	defer deadline.Stop()
	select {
	case <-drained:
		return nil
	case <-deadline.C:
		server.Stop()
		<-drained
		return fmt.Errorf("gRPC calls did not finish within %s", d.options.DrainTimeout)
	}
}

func (d *Door) serverOptions() []grpc.ServerOption {
	o := d.options
	options := []grpc.ServerOption{
		grpc.ForceServerCodecV2(frames{}),
		grpc.MaxHeaderListSize(uint32(o.MaxHeaderBytes)),
		grpc.MaxConcurrentStreams(uint32(o.MaxConcurrentStreams)),
		grpc.StaticStreamWindowSize(streamWindow),
		grpc.StaticConnWindowSize(connectionWindow),
		grpc.ReadBufferSize(o.ReadBufferBytes),
		grpc.WriteBufferSize(o.WriteBufferBytes),
		grpc.ConnectionTimeout(o.ConnectionTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionIdle:     o.MaxConnectionIdle,
			MaxConnectionAge:      o.MaxConnectionAge,
			MaxConnectionAgeGrace: o.MaxConnectionAgeGrace,
			Time:                  o.PingAfter,
			Timeout:               o.PingTimeout,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: o.MinClientPing, PermitWithoutStream: true}),
		grpc.WaitForHandlers(true),
		grpc.NumStreamWorkers(standing),
		grpc.InTapHandle(begin),
	}
	if o.TLS != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(o.TLS)))
	}
	return options
}
