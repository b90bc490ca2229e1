package build

import (
	"log/slog"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/upstream"
)

func keySource(k config.SecretRef, logger *slog.Logger) upstream.KeySource {
	if k.File != "" {
		return upstream.FromFile(k.File, logger)
	}
	return upstream.FromEnv(k.Env)
}
