package build

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
)

// encryptionKeys reads them. A key is 32 random bytes in base64, as `openssl rand
// -base64 32` prints them.
func encryptionKeys(ctx context.Context, keys []config.SecretRef, logger *slog.Logger) ([][]byte, error) {
	var raw [][]byte
	for i, key := range keys {
		secret, err := keySource(key, logger).Key(ctx)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		decoded, err := base64.StdEncoding.DecodeString(secret.Reveal())
		if err != nil {
			return nil, fmt.Errorf("key %d: it is not base64", i+1) // Without the error, which quotes.
		}
		raw = append(raw, decoded)
	}
	return raw, nil
}
