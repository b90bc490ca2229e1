package build

import (
	"context"
	"crypto/tls"
	"log/slog"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/internal/connguard"
	"github.com/admin-gateway/admin-gateway/service/vaultdoor"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// sessionKeyUse is what the keys of sessions are derived for: no other use of the same
// secret has these keys.
const sessionKeyUse = "admin-gateway: sessions of callers"

// sessionKeys are the keys of sessions, which all replicas have. It is nil for a gateway
// that has no login: it makes none, and accepts none.
func sessionKeys(conf config.Config, adminKey upstream.KeySource, logger *slog.Logger) func(context.Context) ([][]byte, error) {
	if conf.VaultListen == "" || len(conf.Vault.Logins) == 0 {
		return nil
	}
	return sharedKeys(sessionKeyUse, conf.Cache, adminKey, logger)
}

// openVault opens the listener for Vault's clients; nil if the config names no address.
func openVault(ctx context.Context, opened *closers, conf config.Config, server *connect.Server, catalog *Catalog, secure *tls.Config, connections *connguard.Metrics) (*Listener, error) {
	if conf.VaultListen == "" {
		return nil, nil //nolint:nilnil // The listener is optional.
	}
	door, err := vaultdoor.New(server, catalog.Catalog, vaultdoor.Options{Mount: conf.Vault.Mount, Logins: conf.Vault.Logins})
	if err != nil {
		return nil, config.AtKey("vault", err)
	}
	drain, _, _ := conf.Shutdown.Split()
	options := httpOptions(conf.Limits, secure, drain)
	options.Counters = connections.Of("vault_listen")
	l, err := Listen(ctx, conf.VaultListen, door.Handler(), options)
	if err != nil {
		return nil, err
	}
	opened.add(l)
	return l, nil
}
