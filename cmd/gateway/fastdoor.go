package main

import (
	"context"
	"fmt"
	"net"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/service/grpcdoor"
)

// fastDoor is the gRPC door of its own address; nil when there is none.
type fastDoor struct {
	net.Listener
	door *grpcdoor.Door
}

// openFastDoor listens on the address, unless it is "".
func openFastDoor(ctx context.Context, address string, server *connect.Server, options grpcdoor.Options) (*fastDoor, error) {
	if address == "" {
		return nil, nil //nolint:nilnil // No door is no error.
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return &fastDoor{l, grpcdoor.New(server, options)}, nil
}

// release gives the address back when it was never served.
func (d *fastDoor) release() {
	if d != nil {
		_ = d.Close()
	}
}

// address is "" without a door.
func (d *fastDoor) address() string {
	if d == nil {
		return ""
	}
	return d.Addr().String()
}

// serve serves until ctx ends, and then lets calls in flight finish.
func (d *fastDoor) serve(ctx context.Context) error {
	if d == nil {
		return nil
	}
	return d.door.Serve(ctx, d.Listener)
}
