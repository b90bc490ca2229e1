package main

import (
	"crypto/tls"
	"log/slog"
	"time"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/grpcdoor"
	"github.com/admin-gateway/admin-gateway/service/httpdoor"
)

// portOptions are those of a listener of net/http.
func portOptions(l config.Limits, secure *tls.Config, drain time.Duration) httpdoor.Options {
	return httpdoor.Options{
		TLS: secure, MaxHeaderBytes: int(l.HeaderBytes), MaxConnections: l.Connections, MaxConcurrentStreams: l.ConcurrentStreams,
		ReadHeaderTimeout: l.ReadHeaderTimeout, ReadTimeout: l.ReadTimeout, IdleTimeout: l.IdleTimeout,
		// Who reads slowly has a minute more than the call.
		WriteTimeout:     max(l.LongestCall, l.ReadTimeout) + time.Minute,
		MaxConnectionAge: l.ConnectionAge, DrainTimeout: drain,
	}
}

// grpcOptions are those of the gRPC door, where a stream may last for longestStream.
func grpcOptions(l config.Limits, secure *tls.Config, drain, longestStream time.Duration, logger *slog.Logger) grpcdoor.Options {
	return grpcdoor.Options{
		TLS: secure, Codec: service.BinaryCodec(), Logger: logger, MaxHeaderBytes: int(l.HeaderBytes), MaxRequestBytes: int(l.RequestBytes),
		MaxConnections: l.Connections, MaxConcurrentStreams: l.ConcurrentStreams,
		ConnectionTimeout: l.ReadHeaderTimeout, MaxConnectionIdle: l.IdleTimeout,
		// An old connection gets no new calls, and keeps those that it has.
		MaxConnectionAge: l.ConnectionAge, MaxConnectionAgeGrace: longestStream + time.Minute, DrainTimeout: drain,
	}
}
