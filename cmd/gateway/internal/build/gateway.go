package build

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync/atomic"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/internal/connguard"
	"github.com/admin-gateway/admin-gateway/service/callers"
	"github.com/admin-gateway/admin-gateway/service/limits"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// Options are the inputs of [New].
type Options struct {
	// Config has passed its Check.
	Config config.Config
	// Version identifies this build in the log and in telemetry.
	Version string
	// Stdout receives audit records if audit.path is "-".
	Stdout io.Writer
	Logger *slog.Logger
	// Level is the level of Logger. Operators can change it.
	Level *slog.LevelVar
	// Log counts what Logger has dropped; nil drops nothing. The caller closes it after
	// the gateway.
	Log *Log
	// ReopenAudit receives a signal after the audit file was rotated. A nil channel
	// never does.
	ReopenAudit <-chan os.Signal
	// Stopping is closed when the gateway begins to stop. Inventory streams then end
	// with a token for resuming them.
	Stopping <-chan struct{}

	// AdminKey replaces upstream.admin_key. Nil means the key of the config.
	AdminKey upstream.KeySource
	// Policy replaces the policy file. Nil means the file of the config.
	Policy func(callers.Rules) (*callers.Set, error)
}

// Gateway is an assembled gateway. It listens on its addresses, and serves them in
// [Gateway.Run].
type Gateway struct {
	opened    closers
	lifecycle lifecycle
	running   atomic.Int64 // calls that are being served
	config    config.Config
	version   string
	logger    *slog.Logger

	// The components, in the order in which they are opened.
	telemetry   *telemetryExport
	access      *access
	cache       *readCache
	idempotency *keyedWrites
	budget      *budget
	fleet       *replicas
	leases      *leasing       // nil: none are given
	adminKeys   *rotations     // nil: the admin key is not rotated
	holds       *holding       // nil: no caller can be held
	limits      *limits.Limits // nil: no caller can have others
	audit       *auditLog
	ready       *readiness
	status      *liveState
	secure      bool // callers connect over TLS
	http        *Listener
	grpc        *grpcListener // nil without an address
	vault       *Listener     // nil without an address
	console     *Listener     // nil without an address
	ops         *Listener     // nil without an address
}

// New opens all components. If one fails, New closes the others. The caller closes
// the gateway.
func New(ctx context.Context, o Options) (*Gateway, error) {
	g := &Gateway{config: o.Config, version: o.Version, logger: o.Logger}
	if err := g.open(ctx, o); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

func (g *Gateway) open(ctx context.Context, o Options) (err error) {
	conf, source, keyFile := o.Config, o.AdminKey, ""
	catalog, err := checkValues(conf) //nolint:contextcheck // What it makes is looked at, and asks nobody.
	if err != nil {
		return err
	}
	if source == nil {
		source, keyFile = keySource(conf.Upstream.AdminKey, o.Logger), conf.Upstream.AdminKey.File
	}
	key := upstream.PerCall(source)
	// An unreadable key is an error now, and not at the first call.
	if _, err := key.Key(ctx); err != nil {
		return err
	}
	if g.telemetry, err = openTelemetry(ctx, &g.opened, conf.Telemetry, o.Version, o.Logger); err != nil {
		return err
	}
	if g.access, err = openAccess(&g.opened, conf, catalog, o.Policy, sessionKeys(conf, key, o.Logger), o.Logger); err != nil {
		return err
	}
	if g.cache, err = openCache(ctx, &g.opened, conf, key, catalog, o.Logger); err != nil {
		return err
	}
	if g.idempotency, err = openIdempotency(ctx, &g.opened, conf, key, g.cache.events, o.Logger); err != nil {
		return err
	}
	if g.budget, err = openBudget(ctx, &g.opened, conf, catalog.Budgets(), g.access.policy, 0, o.Logger); err != nil {
		return err
	}
	if g.fleet, err = openFleet(ctx, &g.opened, conf, o.Logger); err != nil {
		return err
	}
	if g.audit, err = openAudit(&g.opened, conf, o.Stdout, o.ReopenAudit, o.Logger); err != nil {
		return err
	}
	// After the log: what leases still do at the end is recorded.
	if g.leases, err = openLeases(ctx, &g.opened, conf, key, g.access.policy, o.Stopping, o.Logger); err != nil {
		return err
	}
	if g.adminKeys, err = openAdminKeys(keyFile, conf.Limits.LongestCall, key, g.leases, g.fleet.Replica(), o.Logger); err != nil {
		return err
	}
	if g.holds, err = openHolds(ctx, g.leases, g.access.policy, o.Logger); err != nil {
		return err
	}
	if g.limits, err = openLimits(ctx, g.leases, g.access.policy, o.Logger); err != nil {
		return err
	}
	g.ready = newReadiness(key, g.access.policy, g.cache.degraded, g.audit.condition)
	g.ready.leases, g.ready.holds = g.leases.degraded, g.holds.degraded
	g.status = newLiveState(g.version, g.access, g.ready, g.cache.answers)
	return g.openDoors(ctx, o, key, catalog)
}

// openDoors makes the server from the components, and listens on the addresses.
func (g *Gateway) openDoors(ctx context.Context, o Options, key upstream.KeySource, catalog *Catalog) error {
	conf := o.Config
	registry := newRegistry(catalog, g.cache, g.telemetry, g.budget, g.fleet, g.leases, g.audit, g.access, g.status, o.Log)
	registry.MustRegister(g.adminKeys.collectors()...) //nolint:contextcheck // A scrape has no context.
	registry.MustRegister(g.holds.collectors()...)
	connections := connguard.NewMetrics()
	registry.MustRegister(connections.Collectors()...)
	sender, err := openUpstream(&g.opened, conf, key, catalog, g.budget, g.telemetry, registry, o.Logger) //nolint:contextcheck // The breaker logs outside of calls.
	if err != nil {
		return err
	}
	server, err := g.openServer(ctx, conf, catalog, sender, registry, key, o.Stopping)
	if err != nil {
		return err
	}
	if err := g.telemetry.Export(ctx, registry); err != nil {
		return err
	}
	secure, err := openTLS(ctx, &g.opened, conf.TLS, o.Logger)
	if err != nil {
		return err
	}
	g.secure = secure != nil
	handler, err := g.httpHandler(conf, server, catalog, registry)
	if err != nil {
		return err
	}
	if g.http, err = openListener(ctx, &g.opened, conf, handler, secure, connections); err != nil {
		return err
	}
	if g.grpc, err = openGRPCListener(ctx, &g.opened, conf, server, secure, connections, o.Logger); err != nil {
		return err
	}
	if g.vault, err = openVault(ctx, &g.opened, conf, server, catalog, secure, connections); err != nil {
		return err
	}
	if g.console, err = openConsole(ctx, &g.opened, conf, consoleSurroundings{
		server: server, adminKey: key, secure: secure, connections: connections, version: o.Version, ending: o.Stopping, logger: o.Logger,
	}); err != nil {
		return err
	}
	if g.ops, err = openOps(ctx, &g.opened, conf, opsHandler(conf.OpsListen, registry, g.ready, o.Level, o.Logger), connections, o.Logger); err != nil {
		return err
	}
	g.lifecycle = lifecycle{
		ready: g.ready, logger: o.Logger, running: &g.running, delay: conf.Shutdown.Delay,
		doors: []runner{g.http}, leave: g.leave, closing: g.cache.closeBy,
		work:       []runner{g.leases, g.adminKeys},
		background: []runner{g.access, g.cache, g.fleet, g.leases.opening(), g.holds, g.limits, g.ready, g.audit},
	}
	if g.grpc != nil {
		g.lifecycle.doors = append(g.lifecycle.doors, g.grpc)
	}
	if g.vault != nil {
		g.lifecycle.doors = append(g.lifecycle.doors, g.vault)
	}
	if g.console != nil {
		g.lifecycle.doors = append(g.lifecycle.doors, g.console)
	}
	if g.ops != nil {
		g.lifecycle.background = append(g.lifecycle.background, g.ops)
	}
	return nil
}

// leave asks the clients of the HTTP listeners to reconnect elsewhere.
func (g *Gateway) leave() {
	g.http.port.Leave()
	if g.vault != nil {
		g.vault.port.Leave()
	}
	if g.console != nil {
		g.console.port.Leave()
	}
}

// URL returns the base URL for callers.
func (g *Gateway) URL() string { return g.http.URL() }

// VaultURL returns the base URL for clients of Vault; "" where there is no listener for
// them.
func (g *Gateway) VaultURL() string {
	if g.vault == nil {
		return ""
	}
	return g.vault.URL()
}

// ConsoleURL returns the address of the pages for people; "" where there are none.
func (g *Gateway) ConsoleURL() string {
	if g.console == nil {
		return ""
	}
	return g.console.URL()
}

// Run serves until ctx ends or a component fails, and then drains calls in flight.
// It must be called once.
func (g *Gateway) Run(ctx context.Context) error {
	g.warnOfPlaintext(ctx)
	g.logger.InfoContext(ctx, "serving", "listen", g.http.Address(), "grpc_listen", g.grpc.address(), "vault_listen", g.vault.Address(), "console_listen", g.console.Address(), "ops_listen", g.ops.Address(), "tls", g.secure,
		"upstream", g.config.Upstream.BaseURL, "callers", len(g.access.policy.Current().Callers()), "policy_sha256", g.access.policy.Current().SHA256(), "version", g.version)
	return g.lifecycle.run(ctx)
}

func (g *Gateway) warnOfPlaintext(ctx context.Context) {
	if g.secure {
		return
	}
	for _, l := range []struct{ key, address string }{{"listen", g.config.Listen}, {"grpc_listen", g.config.GRPCListen}, {"vault_listen", g.config.VaultListen}, {"console_listen", g.config.ConsoleListen}} {
		if host, _, _ := net.SplitHostPort(l.address); l.address != "" && !config.IsLoopback(host) {
			g.logger.WarnContext(ctx, "callers' tokens travel unencrypted: config key tls is not set, and the address is not a loopback one", "key", l.key)
		}
	}
}

// Close closes all components in reverse order. It must not be called before
// [Gateway.Run] returns. An error means that audit records were lost.
func (g *Gateway) Close() error { return g.opened.Close() }
