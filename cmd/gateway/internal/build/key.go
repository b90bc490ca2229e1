package build

import (
	"log/slog"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// keySource reads a secret at each use. A file is read again when it changes.
func keySource(k config.SecretRef, logger *slog.Logger) upstream.KeySource {
	if k.File != "" {
		return upstream.FromFile(k.File, logger)
	}
	return upstream.FromEnv(k.Env)
}
