package upstream_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/admin-gateway/admin-gateway/upstream"
)

// keyFunc is a source that counts how often it is asked.
type keyFunc struct {
	key   string
	err   error
	asked int
}

func (k *keyFunc) Key(context.Context) (upstream.Secret, error) {
	k.asked++
	return upstream.NewSecret(k.key), k.err
}

// TestRecentKey: the source is asked once a second, and whatever Key has seen counts at
// once. A key that cannot be had is not remembered.
func TestRecentKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := &keyFunc{key: "first"}
		keys := upstream.PerCall(source)
		recent := func(ctx context.Context, want string) {
			t.Helper()
			if key, err := keys.Recent(ctx); err != nil || key.Reveal() != want {
				t.Errorf("the recent key is %q, %v; want %q", key.Reveal(), err, want)
			}
		}
		for range 100 {
			recent(t.Context(), "first")
		}
		if source.asked != 1 {
			t.Errorf("it was asked %d times", source.asked)
		}
		source.key = "second"
		recent(t.Context(), "first")
		recent(upstream.WithKey(t.Context(), upstream.NewSecret("of the call")), "of the call")
		if _, err := keys.Key(t.Context()); err != nil {
			t.Fatal(err)
		}
		recent(t.Context(), "second")
		source.key = "third"
		time.Sleep(time.Second) //nolint:forbidigo // the time of the bubble
		recent(t.Context(), "third")
		source.err = errors.New("gone")
		if _, err := keys.Key(t.Context()); err == nil {
			t.Error("a key that cannot be had")
		}
		if _, err := keys.Recent(t.Context()); err == nil {
			t.Error("a key of before is still given")
		}
	})
}
