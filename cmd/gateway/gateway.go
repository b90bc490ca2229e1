package main

import (
	"fmt"
	"log/slog"
	"net/http"

	"connectrpc.com/connect/v2"
	"connectrpc.com/grpcreflect/v2"

	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/upstream"
	"github.com/admin-gateway/admin-gateway/upstream/adminjson"
)

// gateway is the built house: the doors, and what has to be closed after them.
type gateway struct {
	server *connect.Server
	doors  http.Handler
	ops    http.Handler
	client *upstream.Client
}

// build puts the parts together. With reflection, tools such as buf curl need
// no schema.
func build(base string, key upstream.KeySource, logger *slog.Logger, reflection bool) (*gateway, error) {
	drift := &adminjson.Drift{}
	catalog, err := loadCatalog(drift)
	if err != nil {
		return nil, fmt.Errorf("catalog: %w", err)
	}
	client, err := upstream.New(upstream.Config{BaseURL: base, Key: key, Logger: logger})
	if err != nil {
		return nil, err
	}
	server, err := service.NewServer(catalog, service.Options{Upstream: client, Logger: logger})
	if err != nil {
		client.Close()
		return nil, err
	}
	if reflection {
		grpcreflect.Register(server)
	}
	return &gateway{server: server, doors: service.NewHTTPHandler(server), ops: opsHandler(drift), client: client}, nil
}
