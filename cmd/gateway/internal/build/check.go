package build

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/admin-gateway/admin-gateway/cache"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/internal/redisclient"
	"github.com/admin-gateway/admin-gateway/internal/telemetry"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/authn"
	"github.com/admin-gateway/admin-gateway/service/callers"
	"github.com/admin-gateway/admin-gateway/upstream"
	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

// Check compiles a config and its policy as [New] does. It connects to no server, reads no
// secret, and leaves nothing open. The config has passed its own Check.
func Check(conf config.Config) (*Catalog, *callers.Set, error) {
	catalog, err := checkValues(conf)
	if err != nil {
		return nil, nil, err
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

// checkValues reports every value of a config that no gateway can be made of, each with its
// key, and returns the catalog. [New] begins with it: what it refuses later is not the
// config's, but that of a file, a server or an address.
func checkValues(conf config.Config) (*Catalog, error) {
	catalog, err := LoadCatalog(conf.Upstream)
	if err != nil {
		return nil, err
	}
	var faults []error
	fault := func(key string, err error) {
		if err != nil {
			faults = append(faults, config.AtKey(key, err))
		}
	}
	client, err := upstream.New(upstream.Config{BaseURL: conf.Upstream.BaseURL, Key: upstream.FromEnv("")})
	fault("upstream.base_url", err)
	if err == nil {
		client.Close()
	}
	_, err = lives(conf.Cache, catalog)
	faults = append(faults, err)
	_, err = cache.NewMemory(cache.MemoryOptions{MaxBytes: int64(conf.Cache.Memory), Lease: writeLease})
	fault("cache.memory", err)
	fault("cache.redis_url", checkRedis(conf.Cache))
	faults = append(faults, checkBudget(conf, catalog))
	if _, _, err := audit.ParseAddress(conf.Audit.Path); err != nil {
		fault("audit.path", fmt.Errorf("%q %w", conf.Audit.Path, err))
	}
	fault("telemetry.otlp_endpoint", checkTelemetry(conf.Telemetry))
	if conf.TLS.SPIFFESocket != "" {
		fault("tls.spiffe_socket", authn.CheckSPIFFE(conf.TLS.SPIFFESocket, conf.TLS.TrustDomains))
	}
	authenticator, err := authn.New(authn.Config{Issuers: issuers(conf.Authn), Logger: slog.New(slog.DiscardHandler)})
	fault("authn.issuers", err)
	if err == nil {
		authenticator.Close()
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return catalog, nil
}

// checkRedis compiles the address of Redis.
func checkRedis(c config.Cache) error {
	if c.RedisURL == "" {
		return nil
	}
	client, err := redisclient.New(redisclient.Config{URL: c.RedisURL})
	if err != nil {
		return err
	}
	return client.Close()
}

// checkBudget compiles the budgets.
func checkBudget(conf config.Config, catalog *Catalog) error {
	options, err := paceOptions(conf.Upstream.Budget, catalog.Budgets())
	if err != nil {
		return err
	}
	pacer, err := pace.New(options)
	if err != nil {
		return config.AtKey("upstream.budget", err)
	}
	pacer.Close()
	return nil
}

// checkTelemetry compiles the collector's address.
func checkTelemetry(c config.Telemetry) error {
	if c.OTLPEndpoint == "" {
		return nil
	}
	return telemetry.Check(telemetry.Options{Endpoint: c.OTLPEndpoint, Insecure: c.OTLPInsecure, SampleRatio: c.SampleRatio, Service: c.ServiceName})
}
