package main

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/authn"
	"github.com/admin-gateway/admin-gateway/service/callers"
	"github.com/admin-gateway/admin-gateway/upstream/adminjson"
)

// auditFlush is how long the last records may take at the end.
const auditFlush = 5 * time.Second

type serveCommand struct {
	Config string `help:"Path of gateway.yaml; without it the defaults and the environment count." placeholder:"FILE" type:"existingfile"`
}

// Run serves until a signal.
func (c *serveCommand) Run(ctx context.Context, std streams) (err error) {
	conf, err := loadConfig(c.Config, os.LookupEnv)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewJSONHandler(std.err, nil))
	key := conf.Upstream.AdminKey.source(logger)
	// A key that cannot be read is an error now, not at the first call.
	if _, err := key.Key(ctx); err != nil {
		return err
	}
	drift := new(adminjson.Drift)
	catalog, err := loadCatalog(drift)
	if err != nil {
		return err
	}
	authenticator, policy, err := openCallers(conf, catalog, logger)
	if err != nil {
		return err
	}
	defer authenticator.Close()
	memory, err := openCache(ctx, conf.Cache, conf.Upstream.BaseURL, key, catalog, logger)
	if err != nil {
		return err
	}
	defer memory.close()
	spending, err := openBudget(ctx, conf.Upstream.Budget, conf.Cache, conf.Upstream.BaseURL, catalog, logger)
	if err != nil {
		return err
	}
	defer spending.Close()
	records, err := audit.Open(audit.Options{Path: conf.Audit.Path, Stdout: std.out, Logger: logger})
	if err != nil {
		return err
	}
	defer func() { err = closeAudit(ctx, records, err) }()
	g, err := build(catalog, drift, parts{ //nolint:contextcheck // The breaker logs for no call.
		baseURL: conf.Upstream.BaseURL, key: key, memory: memory, budget: spending, callers: policy, authenticator: authenticator,
		audit: records, auditRequired: conf.Audit.Required, logger: logger,
	})
	if err != nil {
		return err
	}
	defer g.client.Close()
	return conf.listenAndServe(ctx, g, beside{policy, records, memory}, logger)
}

// openCallers reads everything that tells who may call.
func openCallers(conf config, catalog *service.Catalog, logger *slog.Logger) (*authn.Authenticator, *callers.Source, error) {
	authenticator, err := authn.New(authn.Config{Issuers: conf.Authn.issuers(), Logger: logger})
	if err != nil {
		return nil, nil, err
	}
	policy, err := callers.Open(conf.Policy, callers.Rules{Methods: catalog.Access(), Issuers: conf.Authn.urls()}, logger)
	if err != nil {
		authenticator.Close()
		return nil, nil, err
	}
	return authenticator, policy, nil
}

// beside is what runs beside the doors.
type beside struct {
	policy  *callers.Source
	records *audit.Log
	memory  *remembering
}

func (c config) listenAndServe(ctx context.Context, g *gateway, b beside, logger *slog.Logger) error {
	secure, closer, err := c.TLS.config(ctx, logger)
	if err != nil {
		return err
	}
	defer func() { _ = closer.Close() }() // The process ends.
	doors, err := listen(ctx, c.Listen, g.doors)
	if err != nil {
		return err
	}
	defer doors.release()
	doors.secure = secure
	fast, err := openFastDoor(ctx, c.GRPCListen, g.server, secure, logger)
	if err != nil {
		return err
	}
	defer fast.release()
	ops, err := listen(ctx, c.OpsListen, g.ops)
	if err != nil {
		return err
	}
	defer ops.release()
	for key, address := range map[string]string{"listen": c.Listen, "grpc_listen": c.GRPCListen} {
		if host, _, _ := net.SplitHostPort(address); secure == nil && address != "" && !isLoopback(host) {
			logger.WarnContext(ctx, "callers' tokens travel unencrypted: config key tls is not set, and the address is not a loopback one", "key", key)
		}
	}
	logger.InfoContext(ctx, "serving", "listen", doors.Addr().String(), "grpc_listen", fast.address(), "ops_listen", ops.Addr().String(), "tls", secure != nil,
		"upstream", c.Upstream.BaseURL, "callers", len(b.policy.Current().Callers()), "version", version())
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return serve(ctx, doors, ops) })
	group.Go(func() error { return fast.serve(ctx) })
	group.Go(func() error { b.policy.Run(ctx); return nil })
	group.Go(func() error { b.memory.run(ctx); return nil })
	group.Go(func() error { reopenOnSignal(ctx, b.records, logger); return nil })
	return group.Wait()
}

// config is nil when connections are not protected. The closer ends what
// follows the certificates.
func (t tlsConfig) config(ctx context.Context, logger *slog.Logger) (*tls.Config, io.Closer, error) {
	switch {
	case t.SPIFFESocket != "":
		return authn.NewSPIFFE(ctx, t.SPIFFESocket, t.TrustDomains, logger)
	case t.CertFile != "":
		secure, err := authn.NewTLS(ctx, authn.TLSFiles{CertFile: t.CertFile, KeyFile: t.KeyFile, ClientCAFile: t.ClientCAFile}, logger)
		return secure, io.NopCloser(nil), err
	default:
		return nil, io.NopCloser(nil), nil
	}
}

// reopenOnSignal follows a rotation of the audit file: whoever moves it away
// sends SIGHUP.
func reopenOnSignal(ctx context.Context, records *audit.Log, logger *slog.Logger) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			if err := records.Reopen(); err != nil {
				logger.ErrorContext(ctx, "the audit file cannot be opened again; the old one stays in use", "error", err.Error())
			}
		}
	}
}
