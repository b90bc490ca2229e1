package secretfile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/secretfile"
)

// TestWrite replaces a file as a whole, for its owner alone, and leaves nothing beside it.
func TestWrite(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "key")
	if err := os.WriteFile(path, []byte("public, and longer than what comes"), 0o644); err != nil {
		t.Fatal(err)
	}
	before, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = before.Close() }()
	for _, secret := range []string{"sk-1", "sk-2"} {
		if err := secretfile.Write(path, []byte(secret)); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
		if content, err := os.ReadFile(path); string(content) != secret {
			t.Errorf("%q, %v", content, err)
		}
	}
	// Whoever has opened the file before reads what was in it.
	if old, err := before.Stat(); err != nil || old.Size() != 34 {
		t.Errorf("the old file has %d bytes, %v", old.Size(), err)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
	if err := secretfile.Remove(path); err != nil {
		t.Error(err)
	}
	if err := secretfile.Remove(path); err != nil {
		t.Error(err)
	}
}

// TestWriteFails without the content in the error, and without a file that is left over.
func TestWriteFails(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for _, path := range []string{filepath.Join(folder, "none", "key"), folder} {
		if err := secretfile.Write(path, []byte("sk-secret")); err == nil || strings.Contains(err.Error(), "sk-secret") {
			t.Errorf("%s: %v", path, err)
		}
	}
	if entries, err := os.ReadDir(filepath.Dir(folder)); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}
