package build

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"log/slog"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// tokenKeyUse is what the keys of resume tokens are derived for: no other use of the
// same secret has these keys.
const tokenKeyUse = "admin-gateway: resume tokens of inventories"

// tokenKeys are the keys of resume tokens, which all replicas have: derived from the keys
// that encrypt the shared cache, or else from the admin key. They are derived anew for
// each stream, because the secrets can be exchanged.
func tokenKeys(conf config.Cache, adminKey upstream.KeySource, logger *slog.Logger) func(context.Context) ([][]byte, error) {
	return sharedKeys(tokenKeyUse, conf, adminKey, logger)
}

// sharedKeys are keys for one use, as described at tokenKeys.
func sharedKeys(use string, conf config.Cache, adminKey upstream.KeySource, logger *slog.Logger) func(context.Context) ([][]byte, error) {
	sources := []upstream.KeySource{adminKey}
	if len(conf.EncryptionKeys) > 0 {
		sources = nil
		for _, key := range conf.EncryptionKeys {
			sources = append(sources, keySource(key, logger))
		}
	}
	return func(ctx context.Context) ([][]byte, error) {
		keys := make([][]byte, len(sources))
		for i, source := range sources {
			secret, err := source.Key(ctx)
			if err != nil {
				return nil, fmt.Errorf("the secret that keys are derived from: %w", err)
			}
			if keys[i], err = hkdf.Key(sha256.New, []byte(secret.Reveal()), nil, use, sha256.Size); err != nil {
				return nil, fmt.Errorf("derive a key: %w", err)
			}
		}
		return keys, nil
	}
}
