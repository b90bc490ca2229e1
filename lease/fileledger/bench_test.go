package fileledger

import (
	"path/filepath"
	"testing"

	"github.com/admin-gateway/admin-gateway/lease/ledgertest"
)

func BenchmarkFile(b *testing.B) {
	ledgertest.Bench(b, open(b, Options{Path: filepath.Join(b.TempDir(), "leases.db")}))
}
