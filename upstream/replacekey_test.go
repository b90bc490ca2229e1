package upstream

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReplaceKeyFile: the key is replaced where the file has the old one, with its mode and
// through a symbolic link, and by nothing else; a source follows at once.
func TestReplaceKeyFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path, link := filepath.Join(folder, "key"), filepath.Join(t.TempDir(), "link")
	if err := errors.Join(os.WriteFile(path, []byte("sk-admin-old\n"), 0o640), os.Symlink(path, link)); err != nil {
		t.Fatal(err)
	}
	source := FromFile(link, nil)
	if key, err := source.Key(t.Context()); err != nil || key.Reveal() != "sk-admin-old" {
		t.Fatal(err)
	}
	before, after := NewSecret("sk-admin-old"), NewSecret("sk-admin-new")
	if err := ReplaceableKeyFile(link); err != nil {
		t.Fatal(err)
	}
	for range 2 { // The second time nothing is to be done.
		if err := ReplaceKeyFile(link, before, after); err != nil {
			t.Fatal(err)
		}
	}
	if key, err := source.Key(t.Context()); err != nil || !key.Equal(after) {
		t.Errorf("the source has another key: %v", err)
	}
	info, err := os.Lstat(path)
	if target, linkErr := os.Readlink(link); err != nil || linkErr != nil || target != path || info.Mode() != 0o640 {
		t.Errorf("mode %v, the link leads to %s: %v, %v", info.Mode(), target, err, linkErr)
	}
	if err := ReplaceKeyFile(link, before, NewSecret("sk-admin-third")); !errors.Is(err, ErrOtherKey) || strings.Contains(err.Error(), "sk-") {
		t.Errorf("the file of another key: %v", err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files are left: %v", len(entries), err)
	}
}

// TestKeyFilesThatCannotBeReplaced are told before anything is made.
func TestKeyFilesThatCannotBeReplaced(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "folder")
	path := filepath.Join(folder, "key")
	if err := errors.Join(os.Mkdir(folder, 0o700), os.WriteFile(path, []byte("sk-admin-old"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, not := range []string{folder, filepath.Join(folder, "none")} {
		if ReplaceableKeyFile(not) == nil {
			t.Errorf("%s can be replaced", not)
		}
	}
	if os.Getuid() == 0 {
		return // Nothing is read-only for root.
	}
	if err := os.Chmod(folder, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(folder, 0o700) })
	if ReplaceableKeyFile(path) == nil || ReplaceKeyFile(path, NewSecret("sk-admin-old"), NewSecret("sk-admin-new")) == nil {
		t.Error("a file in a read-only folder can be replaced")
	}
}

// TestPerCall: a call with a key of its own is made with it, and no other is.
func TestPerCall(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte("sk-admin-old"), 0o600); err != nil {
		t.Fatal(err)
	}
	source := PerCall(FromFile(path, nil))
	own, err := source.Key(WithKey(t.Context(), NewSecret("sk-admin-new")))
	others, otherErr := source.Key(t.Context())
	if err != nil || otherErr != nil || own.Reveal() != "sk-admin-new" || others.Reveal() != "sk-admin-old" {
		t.Errorf("%v, %v", err, otherErr)
	}
}
