package grpcdoor

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/tap"
)

// inbound is the context of a call as grpc-go waits for it: for the client's next message,
// and for room for those that it is sent. It ends when the call is interrupted, and when
// it is over. It does not end by itself when the client gives the call up: to wait for
// that costs more than most calls take, and who waits sees to it.
type inbound struct {
	// Context is the call's own. All that is done for the call goes by it.
	context.Context
	// header is the metadata that came; from its own context grpc-go gives a copy of it.
	header metadata.MD

	done  chan struct{}
	ended atomic.Bool
}

// begin is a [tap.ServerInHandle]: grpc-go calls it with the headers of a call, before
// anything else of it, and must not wait.
func begin(ctx context.Context, info *tap.Info) (context.Context, error) {
	return &inbound{Context: ctx, header: info.Header, done: make(chan struct{})}, nil
}

type inboundKey struct{}

// Value implements [context.Context].
func (i *inbound) Value(key any) any {
	if key == (inboundKey{}) {
		return i
	}
	return i.Context.Value(key)
}

// inboundOf is the inbound that a context of grpc-go's is made of.
func inboundOf(wire context.Context) *inbound {
	i, _ := wire.Value(inboundKey{}).(*inbound)
	return i
}

// Done implements [context.Context].
func (i *inbound) Done() <-chan struct{} { return i.done }

// Err implements [context.Context].
func (i *inbound) Err() error {
	if err := i.Context.Err(); err != nil || !i.ended.Load() {
		return err
	}
	return context.Canceled
}

// end ends it. It may be called more than once, by any goroutine.
func (i *inbound) end() {
	if !i.ended.Swap(true) {
		close(i.done)
	}
}
