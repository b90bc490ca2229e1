package main

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/grpcdoor"
)

// fastDoor is the gRPC door of its own address; nil when there is none.
type fastDoor struct {
	net.Listener
	door *grpcdoor.Door
}

// openFastDoor listens on the address, unless it is "".
func openFastDoor(ctx context.Context, address string, server *connect.Server, secure *tls.Config, logger *slog.Logger) (*fastDoor, error) {
	if address == "" {
		return nil, nil //nolint:nilnil // No door is no error.
	}
	l, err := listen(ctx, address, nil)
	if err != nil {
		return nil, err
	}
	return &fastDoor{l, grpcdoor.New(server, grpcdoor.Options{
		Codec: service.BinaryCodec(), TLS: secure, Logger: logger, MaxHeaderBytes: service.MaxHeaderBytes, DrainTimeout: drainTimeout,
	})}, nil
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
