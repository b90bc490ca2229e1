package main

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/authn"
	"github.com/admin-gateway/admin-gateway/service/callers"
	"github.com/admin-gateway/admin-gateway/upstream/adminjson"
)

type serveCommand struct {
	Config string `help:"Path of gateway.yaml; without it the defaults and the environment count." placeholder:"FILE" type:"existingfile"`
}

// Run serves until a signal.
func (c *serveCommand) Run(ctx context.Context, std streams) (err error) {
	conf, unknown, err := openConfig(c.Config, std)
	if err != nil {
		return err
	}
	level := levelVariable(conf.Log.Level)
	logger := slog.New(service.NewLogHandler(slog.NewJSONHandler(std.err, &slog.HandlerOptions{Level: level})))
	if len(unknown) > 0 {
		logger.WarnContext(ctx, config.UnknownText, unknown.Attributes()...)
	}
	key := keySource(conf.Upstream.AdminKey, logger)
	// A key that cannot be read is an error now, not at the first call.
	if _, err := key.Key(ctx); err != nil {
		return err
	}
	exports, err := openTelemetry(ctx, conf.Telemetry, logger)
	if err != nil {
		return err
	}
	defer closeTelemetry(ctx, exports, logger)
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
	defer func() {
		_, flush := conf.Shutdown.Split()
		err = closeAudit(ctx, records, flush, err)
	}()
	g, err := build(ctx, catalog, drift, parts{
		baseURL: conf.Upstream.BaseURL, key: key, memory: memory, budget: spending, callers: policy, authenticator: authenticator,
		audit: records, auditRequired: conf.Audit.Required, reflection: conf.Reflection, limits: conf.Limits, inventory: conf.Inventory, cors: conf.CORS,
		telemetry: exports, sendTraceparent: conf.Telemetry.SendTraceparent, level: level, logger: logger, ending: ctx.Done(),
	})
	if err != nil {
		return err
	}
	defer g.client.Close()
	return listenAndServe(ctx, conf, g, beside{policy, records, memory}, logger)
}

// beside is what runs beside the doors.
type beside struct {
	policy  *callers.Source
	records *audit.Log
	memory  *remembering
}

func listenAndServe(ctx context.Context, c config.Config, g *gateway, b beside, logger *slog.Logger) error {
	secure, closer, err := callersTLS(ctx, c.TLS, logger)
	if err != nil {
		return err
	}
	defer func() { _ = closer.Close() }() // The process ends.
	drain, _ := c.Shutdown.Split()
	doors, err := listen(ctx, c.Listen, g.doors, portOptions(c.Limits, secure, drain))
	if err != nil {
		return err
	}
	defer doors.release()
	fast, err := openFastDoor(ctx, c.GRPCListen, g.server, grpcOptions(c.Limits, secure, drain, c.Inventory.LongestStream, logger))
	if err != nil {
		return err
	}
	defer fast.release()
	ops, err := listenOps(ctx, c, g.ops, logger)
	if err != nil {
		return err
	}
	defer ops.release()
	for key, address := range map[string]string{"listen": c.Listen, "grpc_listen": c.GRPCListen} {
		if host, _, _ := net.SplitHostPort(address); secure == nil && address != "" && !config.IsLoopback(host) {
			logger.WarnContext(ctx, "callers' tokens travel unencrypted: config key tls is not set, and the address is not a loopback one", "key", key)
		}
	}
	logger.InfoContext(ctx, "serving", "listen", doors.Addr().String(), "grpc_listen", fast.address(), "ops_listen", ops.Addr().String(), "tls", secure != nil,
		"upstream", c.Upstream.BaseURL, "callers", len(b.policy.Current().Callers()), "version", version())
	forever := func(f func(context.Context)) func(context.Context) error {
		return func(ctx context.Context) error { f(ctx); return nil }
	}
	return life{
		ready: g.ready, delay: c.Shutdown.Delay,
		doors: []func(context.Context) error{doors.serve, fast.serve}, leave: doors.port.Leave,
		beside: []func(context.Context) error{
			ops.serve, forever(b.policy.Run), forever(b.memory.run), forever(g.ready.run),
			forever(func(ctx context.Context) { reopenOnSignal(ctx, b.records, logger) }),
		},
	}.run(ctx)
}

// listenOps opens the listener of operators, with certificates of its own.
func listenOps(ctx context.Context, c config.Config, handler http.Handler, logger *slog.Logger) (listener, error) {
	var secure *tls.Config
	if t := c.OpsTLS; t.CertFile != "" {
		var err error
		if secure, err = authn.NewTLS(ctx, authn.TLSFiles{CertFile: t.CertFile, KeyFile: t.KeyFile, ClientCAFile: t.ClientCAFile}, logger); err != nil {
			return listener{}, err
		}
		if t.ClientCAFile != "" {
			handler = requireCertificate(handler, isProbe)
		}
	}
	return listen(ctx, c.OpsListen, handler, portOptions(c.Limits, secure, opsDrain))
}

// opsDrain is how long those who read metrics may take at the end.
const opsDrain = time.Second

// callersTLS is nil when connections are not protected. The closer ends what
// follows the certificates.
func callersTLS(ctx context.Context, t config.TLS, logger *slog.Logger) (*tls.Config, io.Closer, error) {
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
