package strictyaml_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/admin-gateway/admin-gateway/internal/strictyaml"
)

func TestReadFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f.yaml")
	// Several blocks, and one that is not full.
	text := strings.Repeat("name: a\n", 100_000) + "x"
	var hasher strictyaml.Hasher
	sums := map[strictyaml.Sum]bool{}
	for _, content := range []string{text, text[:len(text)-1] + "y", "", "x"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		read, sum, err := hasher.Read(path, int64(len(text)))
		if err != nil || read != content {
			t.Errorf("%d bytes of %d, %v", len(read), len(content), err)
		}
		if again, err := hasher.File(path, int64(len(text))); err != nil || again != sum {
			t.Errorf("another sum of the same file: %v", err)
		}
		if sums[sum] || sum == (strictyaml.Sum{}) {
			t.Error("the sum of another file, or of none")
		}
		sums[sum] = true
	}
}

func TestReadFileFaults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "f.yaml")
	if err := os.WriteFile(path, make([]byte, 11), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := strictyaml.ReadFile(path, 10)
	if large, ok := errors.AsType[*strictyaml.TooLargeError](err); !ok || large.Most != 10 || large.File != path {
		t.Errorf("a large file: %v", err)
	}
	if _, err := strictyaml.ReadFile(path, 11); err != nil {
		t.Errorf("a file of the largest size: %v", err)
	}
	if _, err := strictyaml.ReadFile(dir, 10); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder: %v", err)
	}
	if _, err := strictyaml.ReadFile(path+"x", 10); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
