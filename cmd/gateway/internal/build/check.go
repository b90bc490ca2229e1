package build

import (
	"fmt"
	"log/slog"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/callers"
)

// Check compiles a config and its policy as [New] does. It connects to no server,
// and leaves nothing open.
func Check(conf config.Config) (*Catalog, *callers.Set, error) {
	catalog, err := LoadCatalog(conf.Upstream)
	if err != nil {
		return nil, nil, err
	}
	if _, err := lives(conf.Cache, catalog); err != nil {
		return nil, nil, err
	}
	if _, err := paceOptions(conf.Upstream.Budget, catalog.Budgets()); err != nil {
		return nil, nil, err
	}
	if _, _, err := audit.ParseAddress(conf.Audit.Path); err != nil {
		return nil, nil, fmt.Errorf("config key audit.path: %q %w", conf.Audit.Path, err)
	}
	var opened closers
	who, err := openAccess(&opened, conf, catalog, nil, nil, slog.New(slog.DiscardHandler))
	if err := opened.Close(); err != nil {
		return nil, nil, err
	}
	if err != nil {
		return nil, nil, err
	}
	return catalog, who.policy.Current(), nil
}
