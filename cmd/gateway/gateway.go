package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/internal/telemetry"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/authn"
	"github.com/admin-gateway/admin-gateway/service/grpcdoor"
	"github.com/admin-gateway/admin-gateway/service/httpdoor"
	"github.com/admin-gateway/admin-gateway/upstream"
	"github.com/admin-gateway/admin-gateway/upstream/adminjson"
)

// parts are what a gateway is built of; who builds it owns them.
type parts struct {
	baseURL       string
	key           upstream.KeySource
	memory        *remembering
	budget        *budget
	callers       service.Callers
	authenticator *authn.Authenticator
	audit         *audit.Log
	auditRequired bool
	// reflection tells tools such as buf curl the schema.
	reflection bool
	limits     config.Limits
	inventory  config.Inventory
	cors       config.CORS
	// ending is closed when the gateway is about to stop, so that streams come to
	// an end.
	ending <-chan struct{}
	// telemetry sends spans and metrics; nil sends nothing.
	telemetry       *telemetry.Telemetry
	sendTraceparent bool
	level           *slog.LevelVar // of logger
	logger          *slog.Logger
}

// gateway is the built house: the doors, and what has to be closed after them.
type gateway struct {
	server *connect.Server
	doors  http.Handler
	ops    http.Handler
	ready  *readiness
	client *upstream.Client
}

func build(ctx context.Context, catalog *service.Catalog, drift *adminjson.Drift, p parts) (*gateway, error) {
	registry := newRegistry(drift, p)
	client, sender, err := p.openUpstream(catalog, registry) //nolint:contextcheck // The breaker logs for no call.
	if err != nil {
		return nil, fmt.Errorf("config key upstream: %w", err)
	}
	ready := &readiness{key: p.key, callers: p.callers, degraded: p.memory.degraded, health: service.NewHealth()}
	server, err := service.NewServer(catalog, service.Options{
		Upstream:      sender,
		Budget:        p.budget,
		Cache:         p.memory.cache,
		Idempotency:   p.memory.idempotency,
		Callers:       p.callers,
		Authenticator: p.authenticator,
		Authenticated: func(ctx context.Context) {
			httpdoor.Trust(ctx)
			grpcdoor.Trust(ctx)
		},
		Audit:         p.audit,
		AuditRequired: p.auditRequired,
		Reflection:    p.reflection,
		Health:        ready.health,
		LongestCall:   p.limits.LongestCall,
		Metrics:       registry,
		Tracer:        p.telemetry.Tracer(),
		Logger:        p.logger,
		FanOut:        fanOutOptions(p.inventory, p.ending),
	})
	if err == nil {
		err = p.telemetry.Export(ctx, registry)
	}
	if err != nil {
		client.Close()
		return nil, err
	}
	doors := service.NewHTTPHandler(server, catalog, service.WithMaxRequestBytes(int(p.limits.RequestBytes)))
	return &gateway{server: server, doors: allowOrigins(p.cors, doors), ops: opsHandler(registry, ready, p), ready: ready, client: client}, nil
}

// openUpstream makes the client, and the sender around it that tries again and
// gives the upstream a pause.
func (p parts) openUpstream(catalog *service.Catalog, registry prometheus.Registerer) (*upstream.Client, *upstream.Sender, error) {
	counters, tracer := telemetry.NewUpstream(registry), p.telemetry.Tracer()
	client, err := upstream.New(upstream.Config{
		BaseURL: p.baseURL, Key: p.key, Attempts: counters, Tracer: tracer, SendTraceparent: p.sendTraceparent, Logger: p.logger,
	})
	if err != nil {
		return nil, nil, err
	}
	sender, err := upstream.NewSender(upstream.SenderOptions{
		Client: client, Pacer: upstream.PacedBy(p.budget.Pacer), Bucket: catalog.BudgetOf, Metrics: counters, Tracer: tracer, Logger: p.logger,
	})
	if err != nil {
		client.Close()
		return nil, nil, err
	}
	return client, sender, nil
}

// closeAudit flushes what the calls left to be recorded.
func closeAudit(ctx context.Context, log *audit.Log, flush time.Duration, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flush)
	defer cancel()
	return errors.Join(err, log.Close(ctx))
}
