package build

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/internal/redisclient"
	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/fileledger"
	"github.com/admin-gateway/admin-gateway/lease/redisledger"
	"github.com/admin-gateway/admin-gateway/upstream"
)

const (
	// ledgerPatience bounds the wait for a connection to Redis: a lease is worth waiting
	// for longer than a cached answer.
	ledgerPatience = time.Second
	// ownOrganization is the organization of a ledger in a file that names none.
	ownOrganization = "default"
	// markUse is what the keys of marks are derived for: no other use of the same secret
	// has these keys.
	markUse = "admin-gateway: marks of leased keys"
	// ledgerKeySuffix is what the file of a ledger's own key has after the ledger's name.
	ledgerKeySuffix = ".key"
)

// ledgerOf returns what opens the ledger that a config names: nil for none.
func ledgerOf(ctx context.Context, opened *closers, conf config.Config, logger *slog.Logger) (func(context.Context) (lease.Ledger, error), error) {
	sealer, err := sealerOf(ctx, conf.Cache.EncryptionKeys, logger)
	if err != nil {
		return nil, err
	}
	switch {
	case inRedis(conf):
		client, err := openRedis(ctx, opened, conf.Cache, redisclient.Config{Patience: ledgerPatience}, logger)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context) (lease.Ledger, error) {
			found, err := redisledger.Open(ctx, client, redisledger.Options{Organization: conf.Leases.Organization, Sealer: sealer, CallTimeout: ledgerPatience})
			if redisclient.RefusedLogin(err) {
				return nil, fmt.Errorf("the login is refused, or the user of Redis may not run a command that docs/ledger.md lists: %w", err)
			}
			if err != nil {
				return nil, err
			}
			return found, nil
		}, nil
	case conf.Leases.Path != "":
		return func(context.Context) (lease.Ledger, error) {
			found, err := fileledger.Open(fileledger.Options{Path: conf.Leases.Path})
			if err != nil {
				return nil, err
			}
			return found, nil
		}, nil
	default:
		return nil, nil
	}
}

// inRedis tells whether the ledger is in Redis.
func inRedis(conf config.Config) bool {
	return conf.Cache.RedisURL != "" && conf.Leases.Organization != ""
}

// markKeys are the keys of the marks by which the gateway knows its keys upstream. They
// have to outlive the ledger and the admin key where they can: they are derived from the
// keys that encrypt Redis, or from the ledger's own key beside its file. A Redis without
// encryption keys leaves the admin key alone.
func markKeys(ctx context.Context, conf config.Config, adminKey upstream.KeySource, logger *slog.Logger) ([][]byte, error) {
	sources := []upstream.KeySource{adminKey}
	switch {
	case len(conf.Cache.EncryptionKeys) > 0:
		sources = nil
		for _, key := range conf.Cache.EncryptionKeys {
			sources = append(sources, keySource(key, logger))
		}
	case conf.Leases.Path != "":
		sources = []upstream.KeySource{keySource(config.SecretRef{File: conf.Leases.Path + ledgerKeySuffix}, logger)}
	default:
		logger.WarnContext(ctx, "the marks of leased keys depend on the admin key: after it was exchanged, a key whose answer was lost before is not recognised, and ends by itself; set cache.encryption_keys")
	}
	keys := make([][]byte, len(sources))
	for i, source := range sources {
		secret, err := source.Key(ctx)
		if err != nil {
			return nil, fmt.Errorf("the secret that the marks of keys are derived from: %w", err)
		}
		if keys[i], err = hkdf.Key(sha256.New, []byte(secret.Reveal()), nil, markUse, sha256.Size); err != nil {
			return nil, fmt.Errorf("derive a key of marks: %w", err)
		}
	}
	return keys, nil
}

// Ledger is a ledger of leases for a tool, which closes it.
type Ledger struct {
	lease.Ledger

	opened closers
}

// ErrNoLeases is the error of a config that keeps no leases.
var ErrNoLeases = errors.New("the config keeps no leases: neither leases.path is set, nor leases.organization with cache.redis_url")

// OpenLedger opens the ledger of a config for a tool, beside gateways that use it: a file
// only while no gateway does. It brings a ledger of an older build to the form of this
// one, which shuts out the older. With begin, it makes a file where there is none.
func OpenLedger(ctx context.Context, conf config.Config, begin bool, logger *slog.Logger) (*Ledger, error) {
	l := new(Ledger)
	if path := conf.Leases.Path; path != "" && !begin {
		if _, err := os.Stat(path); err != nil {
			return nil, config.AtKey("leases.path", err)
		}
	}
	open, err := ledgerOf(ctx, &l.opened, conf, logger)
	if err == nil && open == nil {
		err = ErrNoLeases
	}
	if err == nil {
		l.Ledger, err = open(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, l.opened.Close())
	}
	return l, nil
}

// Close closes the ledger, and then the connection to it.
func (l *Ledger) Close() error { return errors.Join(l.Ledger.Close(), l.opened.Close()) }

var _ io.Closer = (*Ledger)(nil)
