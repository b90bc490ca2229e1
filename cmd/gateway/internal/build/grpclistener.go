package build

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/internal/connguard"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/grpcdoor"
)

// grpcListener serves gRPC alone on a separate address.
type grpcListener struct {
	listener net.Listener
	door     *grpcdoor.Door
}

// openGRPCListener returns nil if the config names no address.
func openGRPCListener(ctx context.Context, opened *closers, conf config.Config, server *connect.Server, secure *tls.Config, connections *connguard.Metrics, logger *slog.Logger) (*grpcListener, error) {
	if conf.GRPCListen == "" {
		return nil, nil //nolint:nilnil // The listener is optional.
	}
	drain, _, _ := conf.Shutdown.Split()
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", conf.GRPCListen)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", conf.GRPCListen, err)
	}
	opened.addConnection(l)
	options := grpcOptions(conf.Limits, secure, drain, conf.Inventory.LongestStream, logger)
	options.Counters = connections.Of("grpc_listen")
	return &grpcListener{l, grpcdoor.New(server, options)}, nil
}

// address returns "" for a nil listener.
func (l *grpcListener) address() string {
	if l == nil {
		return ""
	}
	return l.listener.Addr().String()
}

// Run serves until ctx ends, and then drains calls in flight.
func (l *grpcListener) Run(ctx context.Context) error { return l.door.Serve(ctx, l.listener) }

// grpcOptions applies the limits to the gRPC listener, whose streams may last for
// longestStream.
func grpcOptions(l config.Limits, secure *tls.Config, drain, longestStream time.Duration, logger *slog.Logger) grpcdoor.Options {
	return grpcdoor.Options{
		TLS: secure, Codec: service.BinaryCodec(), Logger: logger, MaxHeaderBytes: int(l.HeaderBytes), MaxRequestBytes: int(l.RequestBytes),
		MaxConnections: l.Connections, MaxConcurrentStreams: l.ConcurrentStreams,
		ConnectionTimeout: l.ReadHeaderTimeout, MaxConnectionIdle: l.IdleTimeout,
		// An old connection finishes its calls and gets no new ones.
		MaxConnectionAge: l.ConnectionAge, MaxConnectionAgeGrace: longestStream + time.Minute, DrainTimeout: drain,
	}
}
