package build

import (
	"context"
	"net/http"

	"connectrpc.com/connect/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/grpcdoor"
	"github.com/admin-gateway/admin-gateway/service/httpdoor"
)

// openServer makes the server that all doors call.
func (g *Gateway) openServer(conf config.Config, catalog *Catalog, sender service.Upstream, registry prometheus.Registerer, stopping <-chan struct{}) (*connect.Server, error) {
	return service.NewServer(catalog.Catalog, service.Options{
		Upstream:      sender,
		Budget:        g.budget,
		Cache:         g.cache.answers,
		Idempotency:   g.idempotency.Idempotency,
		Callers:       g.access.policy,
		Authenticator: g.access.authenticator,
		Authenticated: func(ctx context.Context) {
			httpdoor.Trust(ctx)
			grpcdoor.Trust(ctx)
		},
		Audit:         g.audit,
		AuditRequired: conf.Audit.Required,
		Reflection:    conf.Reflection,
		Health:        g.ready.health,
		LongestCall:   conf.Limits.LongestCall,
		Metrics:       registry,
		Tracer:        g.telemetry.Tracer(),
		Logger:        g.logger,
		FanOut:        fanOutOptions(conf.Inventory, stopping),
	})
}

// httpHandler serves Connect, gRPC, gRPC-Web and REST, with CORS.
func httpHandler(conf config.Config, server *connect.Server, catalog *Catalog) http.Handler {
	return allowOrigins(conf.CORS, service.NewHTTPHandler(server, catalog.Catalog, service.WithMaxRequestBytes(int(conf.Limits.RequestBytes))))
}

// fanOutOptions bounds inventory streams. They end early when stopping is closed.
func fanOutOptions(i config.Inventory, stopping <-chan struct{}) service.FanOutOptions {
	return service.FanOutOptions{
		Concurrency: i.Concurrency, Longest: i.LongestStream, MaxOutermost: i.OutermostItems,
		Ending: func() <-chan struct{} { return stopping },
	}
}
