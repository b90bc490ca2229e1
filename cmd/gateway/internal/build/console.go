package build

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/url"
	"strings"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/internal/connguard"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/console"
	"github.com/admin-gateway/admin-gateway/service/console/oidclogin"
	"github.com/admin-gateway/admin-gateway/service/console/pages"
	"github.com/admin-gateway/admin-gateway/service/console/rpc"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// consoleKeyUse is what the keys of the console's cookies are derived for: no other use of
// the same secret has these keys.
const consoleKeyUse = "admin-gateway: logins to the console"

// consoleSurroundings are what the console gets from the gateway.
type consoleSurroundings struct {
	server      *connect.Server
	adminKey    upstream.KeySource
	secure      *tls.Config // nil: no TLS
	connections *connguard.Metrics
	version     string
	ending      <-chan struct{}
	logger      *slog.Logger
}

// openConsole opens the listener for the pages; nil if the config names no address.
func openConsole(ctx context.Context, opened *closers, conf config.Config, s consoleSurroundings) (*Listener, error) {
	if conf.ConsoleListen == "" {
		return nil, nil //nolint:nilnil // The listener is optional.
	}
	o := console.Options{
		Server: rpc.Server{Server: s.server, Copy: service.CopyMessage},
		Pages:  pages.All(), Templates: pages.Templates(),
		Keys:    sharedKeys(consoleKeyUse, conf.Cache, s.adminKey, s.logger),
		Secure:  s.secure != nil,
		Longest: conf.Console.Session, Idle: conf.Console.Idle,
		Version: s.version, Ending: s.ending, Logger: s.logger,
	}
	if conf.Console.URL != "" {
		var err error
		if o.URL, err = url.Parse(conf.Console.URL); err != nil {
			return nil, config.AtKey("console.url", err)
		}
	}
	o.OIDC = consoleOIDC(conf, s.logger)
	host, _, _ := net.SplitHostPort(conf.ConsoleListen) // The config was checked.
	o.Loopback = config.IsLoopback(host)
	made, err := console.New(o)
	if err != nil {
		return nil, err
	}
	drain, _, _ := conf.Shutdown.Split()
	options := httpOptions(conf.Limits, s.secure, drain)
	options.Counters = s.connections.Of("console_listen")
	l, err := Listen(ctx, conf.ConsoleListen, made.Handler(), options)
	if err != nil {
		return nil, err
	}
	opened.add(l)
	return l, nil
}

// consoleOIDC is the login with an OpenID provider; nil if the config names none.
func consoleOIDC(conf config.Config, logger *slog.Logger) *oidclogin.Login {
	c := conf.Console.OIDC
	if c.Issuer == "" {
		return nil
	}
	caFile := ""
	for _, issuer := range conf.Authn.Issuers {
		if issuer.URL == c.Issuer {
			caFile = issuer.CAFile
		}
	}
	o := oidclogin.Options{
		Issuer: c.Issuer, ClientID: c.ClientID, RedirectURL: strings.TrimSuffix(conf.Console.URL, "/") + console.CallbackPath, Scopes: c.Scopes, CAFile: caFile,
	}
	if c.ClientSecret != (config.SecretRef{}) {
		source := keySource(c.ClientSecret, logger)
		o.Secret = func(ctx context.Context) (string, error) {
			secret, err := source.Key(ctx)
			if err != nil {
				return "", err
			}
			return secret.Reveal(), nil
		}
	}
	return oidclogin.New(o)
}
