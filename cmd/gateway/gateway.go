package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"connectrpc.com/connect/v2"

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
	logger     *slog.Logger
	// ending is closed when the gateway is about to stop, so that streams come to
	// an end.
	ending <-chan struct{}
}

// gateway is the built house: the doors, and what has to be closed after them.
type gateway struct {
	server *connect.Server
	doors  http.Handler
	ops    http.Handler
	client *upstream.Client
}

func build(catalog *service.Catalog, drift *adminjson.Drift, p parts) (*gateway, error) {
	registry := newRegistry(drift, p)
	client, err := upstream.New(upstream.Config{BaseURL: p.baseURL, Key: p.key, Logger: p.logger})
	if err != nil {
		return nil, fmt.Errorf("config key upstream: %w", err)
	}
	sender, err := upstream.NewSender(upstream.SenderOptions{Client: client, Pacer: upstream.PacedBy(p.budget.Pacer), Bucket: catalog.BudgetOf, Logger: p.logger})
	if err != nil {
		client.Close()
		return nil, err
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
		Logger:        p.logger,
		FanOut:        service.FanOutOptions{Ending: func() <-chan struct{} { return p.ending }},
	})
	if err != nil {
		client.Close()
		return nil, err
	}
	return &gateway{server: server, doors: service.NewHTTPHandler(server, catalog), ops: opsHandler(registry, p.memory.degraded), client: client}, nil
}

// closeAudit flushes what the calls left to be recorded.
func closeAudit(ctx context.Context, log *audit.Log, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditFlush)
	defer cancel()
	return errors.Join(err, log.Close(ctx))
}
