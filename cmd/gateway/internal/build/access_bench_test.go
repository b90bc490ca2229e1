package build

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/internal/policytest"
)

// BenchmarkOpenAccess is the part of a start that the policy takes, with all methods.
func BenchmarkOpenAccess(b *testing.B) {
	catalog, err := LoadCatalog(config.Upstream{})
	if err != nil {
		b.Fatal(err)
	}
	conf := config.New(Defaults())
	for _, n := range []int{10, 1000, 100_000} {
		b.Run(fmt.Sprintf("callers=%d", n), func(b *testing.B) {
			text := policytest.YAML(n)
			conf.Policy = filepath.Join(b.TempDir(), "policy.yaml")
			if err := os.WriteFile(conf.Policy, text, 0o600); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				var opened closers
				if _, err := openAccess(&opened, conf, catalog, nil, nil, slog.New(slog.DiscardHandler)); err != nil {
					b.Fatal(err)
				}
				if err := opened.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
