package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"sync/atomic"

	"github.com/admin-gateway/admin-gateway/upstream"
)

// organization returns a name for the data that an admin key gives access to. Two
// keys or two base URLs have different names. The name is computed once for each
// key.
func organization(baseURL string, key func(context.Context) (upstream.Secret, error)) func(context.Context) (string, error) {
	type named struct {
		secret upstream.Secret
		name   string
	}
	var last atomic.Pointer[named]
	return func(ctx context.Context) (string, error) {
		secret, err := key(ctx)
		if err != nil {
			return "", err
		}
		if n := last.Load(); n != nil && n.secret.Equal(secret) {
			return n.name, nil
		}
		digest := sha256.Sum256([]byte("admin-gateway organization\x00" + baseURL + "\x00" + secret.Reveal()))
		n := &named{secret, hex.EncodeToString(digest[:16])}
		last.Store(n)
		return n.name, nil
	}
}
