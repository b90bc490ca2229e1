package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/admin-gateway/admin-gateway/internal/redistest"
	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/fileledger"
	"github.com/admin-gateway/admin-gateway/lease/ledgertest"
)

// ledgerTool runs a tool with a config that keeps leases where more says.
func ledgerTool(t *testing.T, more string, args ...string) (code int, out, errs string) {
	t.Helper()
	config := writeFile(t, "gateway.yaml", "policy: p\nupstream: {admin_key: {env: K}}\n"+more)
	var outs, errors bytes.Buffer
	code = run(t.Context(), append([]string{"lease", "ledger"}, append(args, "--config", config)...), streams{&outs, &errors})
	return code, outs.String(), errors.String()
}

// TestLeaseLedger: leases move from a file to Redis with an export, and whoever has
// either of them can have it checked.
func TestLeaseLedger(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "leases.db")
	file := "leases: {path: " + path + "}\n"
	ledger, err := fileledger.Open(fileledger.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, request := range []string{"1", "2", "3"} {
		ids = append(ids, ledgertest.Advance(t, ledger, ledgertest.Create(t, ledger, ledgertest.NewDraft(request)), lease.Issued).ID)
	}
	if code, _, said := ledgerTool(t, file, "export"); code != 1 || !strings.Contains(said, "stop the gateway first") {
		t.Errorf("while a gateway has it: %d, %s", code, said)
	}
	if err := ledger.Close(); err != nil {
		t.Fatal(err)
	}
	code, export, said := ledgerTool(t, file, "export")
	if code != 0 || !strings.Contains(said, "exported: 3") || strings.Contains(export, "sk-of-") {
		t.Fatalf("%d, %s, %s", code, said, export)
	}
	for _, id := range ids {
		if !strings.Contains(export, id) {
			t.Errorf("the export lacks %s", id)
		}
	}
	if code, out, _ := ledgerTool(t, file, "check"); code != 0 || out != "leases: 3, problems: 0\n" {
		t.Errorf("check: %d, %s", code, out)
	}

	redis := "cache: {redis_url: 'redis://" + redistest.Start(t) + "'}\nleases: {organization: acme}\n"
	exported := writeFile(t, "export", export)
	if code, out, said := ledgerTool(t, redis, "import", exported); code != 0 || out != "imported: 3\n" {
		t.Fatalf("import: %d, %s, %s", code, out, said)
	}
	if code, _, said := ledgerTool(t, redis, "import", exported); code != 1 || !strings.Contains(said, "the ledger has leases") {
		t.Errorf("a second import: %d, %s", code, said)
	}
	if code, again, _ := ledgerTool(t, redis, "export"); code != 0 || strings.Count(again, "\n") != strings.Count(export, "\n") {
		t.Errorf("of Redis: %d, %s", code, again)
	}
	if code, out, _ := ledgerTool(t, redis, "check"); code != 0 || out != "leases: 3, problems: 0\n" {
		t.Errorf("check of Redis: %d, %s", code, out)
	}
}

// TestLeaseLedgerRefuses: a config without leases, a ledger that is not there, and one
// that is damaged.
func TestLeaseLedgerRefuses(t *testing.T) {
	t.Parallel()
	if code, _, said := ledgerTool(t, "", "check"); code != 1 || !strings.Contains(said, "keeps no leases") {
		t.Errorf("without leases: %d, %s", code, said)
	}
	path := filepath.Join(t.TempDir(), "leases.db")
	file := "leases: {path: " + path + "}\n"
	if code, _, said := ledgerTool(t, file, "check"); code != 1 || !strings.Contains(said, "leases.path") {
		t.Errorf("a ledger that is not there: %d, %s", code, said)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the tool made one: %v", err)
	}
	ledger, err := fileledger.Open(fileledger.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	ledgertest.Create(t, ledger, ledgertest.NewDraft("1"))
	if err := ledger.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(func(tx *bbolt.Tx) error {
		counts := tx.Bucket([]byte("counts"))
		name, _ := counts.Cursor().First()
		return counts.Delete(name)
	}), db.Close()); err != nil {
		t.Fatal(err)
	}
	if code, out, said := ledgerTool(t, file, "check"); code != 1 || strings.Contains(out, "problems: 0") || !strings.Contains(said, "does not agree") {
		t.Errorf("a damaged one: %d, %s, %s", code, out, said)
	}
}
