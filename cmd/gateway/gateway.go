package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"connectrpc.com/connect/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/internal/telemetry"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/authn"
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
	client *upstream.Client
}

func build(ctx context.Context, catalog *service.Catalog, drift *adminjson.Drift, p parts) (*gateway, error) {
	registry := newRegistry(drift, p)
	client, sender, err := p.openUpstream(catalog, registry) //nolint:contextcheck // The breaker logs for no call.
	if err != nil {
		return nil, fmt.Errorf("config key upstream: %w", err)
	}
	server, err := service.NewServer(catalog, service.Options{
		Upstream:      sender,
		Budget:        p.budget,
		Cache:         p.memory.cache,
		Idempotency:   p.memory.idempotency,
		Callers:       p.callers,
		Authenticator: p.authenticator,
		Audit:         p.audit,
		AuditRequired: p.auditRequired,
		Reflection:    p.reflection,
		Metrics:       registry,
		Tracer:        p.telemetry.Tracer(),
		Logger:        p.logger,
	})
	if err == nil {
		err = p.telemetry.Export(ctx, registry)
	}
	if err != nil {
		client.Close()
		return nil, err
	}
	return &gateway{server: server, doors: service.NewHTTPHandler(server, catalog), ops: opsHandler(registry, p), client: client}, nil
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
func closeAudit(ctx context.Context, log *audit.Log, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditFlush)
	defer cancel()
	return errors.Join(err, log.Close(ctx))
}
