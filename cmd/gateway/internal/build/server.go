package build

import (
	"context"
	"net/http"

	"connectrpc.com/connect/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/inventory"
	"github.com/admin-gateway/admin-gateway/service/observe"
	"github.com/admin-gateway/admin-gateway/service/pacing"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// openServer makes the server that all doors call.
func (g *Gateway) openServer(ctx context.Context, conf config.Config, catalog *Catalog, sender pacing.Upstream, registry prometheus.Registerer, key upstream.KeySource, stopping <-chan struct{}) (*connect.Server, error) {
	fingerprints, err := FingerprintKey(ctx, conf.Audit, g.logger)
	if err != nil {
		return nil, err
	}
	from, err := origins(conf.Audit)
	if err != nil {
		return nil, err
	}
	inventories := inventoryOptions(conf.Inventory, stopping)
	inventories.TokenKeys = tokenKeys(conf.Cache, key, g.logger)
	return service.NewServer(catalog.Catalog, service.Options{
		Upstream:      sender,
		Budget:        g.budget,
		Spending:      g.budget.account,
		Status:        g.status,
		Cache:         g.cache.answers,
		Idempotency:   g.idempotency.Outcomes,
		Fleet:         g.fleet.Fleet,
		Callers:       g.access.policy,
		Authenticator: g.access.authenticator,
		Sessions:      g.access.authenticator,
		Leases:        g.leases.given(),
		AdminKeys:     g.adminKeys.given(),
		Holds:         g.holds.given(),
		Limits:        g.limits,
		Audit:         g.audit,
		Recent:        g.audit.recent,
		AuditRequired: required(conf.Audit.Required),
		AuditKey:      fingerprints,
		Origins:       from,
		Reflection:    conf.Reflection,
		Health:        g.ready.health,
		LongestCall:   conf.Limits.LongestCall,
		Metrics:       registry,
		Running:       &g.running,
		Tracer:        g.telemetry.Tracer(),
		Stages:        conf.Telemetry.Stages,
		Logger:        g.logger,
		Lines:         lines(conf.Log),
		Inventory:     inventories,
	})
}

// httpHandler serves Connect, gRPC, gRPC-Web and REST, with CORS.
func (g *Gateway) httpHandler(conf config.Config, server *connect.Server, catalog *Catalog, registry prometheus.Registerer) (http.Handler, error) {
	strays, err := observe.NewStrays(registry, g.logger)
	if err != nil {
		return nil, err
	}
	return allowOrigins(conf.CORS, service.NewHTTPHandler(server, catalog.Catalog,
		service.WithMaxRequestBytes(int(conf.Limits.RequestBytes)), service.WithStrays(strays))), nil
}

// inventoryOptions bounds inventory streams. They end early when stopping is closed.
func inventoryOptions(i config.Inventory, stopping <-chan struct{}) inventory.Options {
	return inventory.Options{
		Concurrency: i.Concurrency, Longest: i.LongestStream, MaxOutermost: i.OutermostItems,
		Ending: func() <-chan struct{} { return stopping },
	}
}
