package build

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// fixedKey is an admin key.
type fixedKey string

func (k fixedKey) Key(context.Context) (upstream.Secret, error) {
	if k == "" {
		return upstream.Secret{}, errors.New("unreadable")
	}
	return upstream.NewSecret(string(k)), nil
}

// TestTokenKeys: replicas with the same secrets have the same keys, which are not the
// secrets. Where the cache has keys, they count, the new one first.
func TestTokenKeys(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := func(name, content string) config.SecretRef {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return config.SecretRef{File: path}
	}
	derive := func(admin fixedKey, cache ...config.SecretRef) [][]byte {
		t.Helper()
		keys, err := tokenKeys(config.Cache{EncryptionKeys: cache}, admin, slog.New(slog.DiscardHandler))(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return keys
	}
	old, fresh := file("old", "the-old-key-of-the-cache"), file("fresh", "the-new-key-of-the-cache")
	one, other := derive("sk-one"), derive("sk-other")
	if len(one) != 1 || len(one[0]) != 32 || bytes.Contains(one[0], []byte("sk-one")) || bytes.Equal(one[0], other[0]) || !bytes.Equal(one[0], derive("sk-one")[0]) {
		t.Errorf("of admin keys: %x, %x", one, other)
	}
	rotated := derive("sk-one", fresh, old)
	if len(rotated) != 2 || !bytes.Equal(rotated[1], derive("sk-other", old)[0]) || !bytes.Equal(rotated[0], derive("", fresh)[0]) || bytes.Equal(rotated[0], rotated[1]) {
		t.Errorf("of keys of the cache: %x", rotated)
	}
	if keys, err := tokenKeys(config.Cache{}, fixedKey(""), slog.New(slog.DiscardHandler))(t.Context()); err == nil {
		t.Errorf("of nothing: %x", keys)
	}
}
