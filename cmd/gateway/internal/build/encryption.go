package build

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
)

// encryptionKeys reads the keys. A key is 32 random bytes in base64, as printed by
// `openssl rand -base64 32`.
func encryptionKeys(ctx context.Context, keys []config.SecretRef, logger *slog.Logger) ([][]byte, error) {
	var raw [][]byte
	for i, key := range keys {
		secret, err := keySource(key, logger).Key(ctx)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		decoded, err := base64.StdEncoding.DecodeString(secret.Reveal())
		if err != nil {
			return nil, fmt.Errorf("key %d: it is not base64", i+1) // The decoder's error would quote the key.
		}
		raw = append(raw, decoded)
	}
	return raw, nil
}
