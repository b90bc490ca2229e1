package build

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
)

// TestSecretsInThePlaceOfNames: a key that somebody put where the name of its variable
// or of its file belongs is in no error.
func TestSecretsInThePlaceOfNames(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"0123456789abcdef0123456789abcdef01234567", "ABCDEF0123456789ABCDEF0123456789ABCDEF01", "sk-admin-abc_def-ghi"} {
		for _, reference := range []config.SecretRef{{Env: secret}, {File: secret}} {
			if _, err := keySource(reference, slog.New(slog.DiscardHandler)).Key(t.Context()); err == nil || strings.Contains(err.Error(), secret) {
				t.Errorf("a key: %v", err)
			}
			if _, err := encryptionKeys(t.Context(), []config.SecretRef{reference}, nil); err == nil || strings.Contains(err.Error(), secret) {
				t.Errorf("an encryption key: %v", err)
			}
			if _, err := headerValue(config.Header{Name: "authorization", Env: reference.Env, File: reference.File}); err == nil || strings.Contains(err.Error(), secret) {
				t.Errorf("a header: %v", err)
			}
		}
	}
}
