package build

import (
	"context"
	"crypto/tls"
	"log/slog"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/service/authn"
)

// openTLS returns nil if the connections of callers are not encrypted.
func openTLS(ctx context.Context, opened *closers, t config.TLS, logger *slog.Logger) (*tls.Config, error) {
	switch {
	case t.SPIFFESocket != "":
		secure, source, err := authn.NewSPIFFE(ctx, t.SPIFFESocket, t.TrustDomains, logger)
		if err != nil {
			return nil, err
		}
		opened.addConnection(source)
		return secure, nil
	case t.CertFile != "":
		return authn.NewTLS(ctx, authn.TLSFiles{CertFile: t.CertFile, KeyFile: t.KeyFile, ClientCAFile: t.ClientCAFile}, logger)
	default:
		return nil, nil //nolint:nilnil // TLS is optional.
	}
}

// openOpsTLS returns nil if the connections of operators are not encrypted.
func openOpsTLS(ctx context.Context, t config.OpsTLS, logger *slog.Logger) (*tls.Config, error) {
	if t.CertFile == "" {
		return nil, nil //nolint:nilnil // As above.
	}
	return authn.NewTLS(ctx, authn.TLSFiles{CertFile: t.CertFile, KeyFile: t.KeyFile, ClientCAFile: t.ClientCAFile}, logger)
}
