package upstream

import (
	"context"
	"sync/atomic"
	"time"
)

type callKey struct{}

// recently is how old a key may be that [CallKeys.Recent] gives.
const recently = time.Second

// WithKey makes the calls of a context with this key, where they are made by a Client
// whose source is of [PerCall]: one key is compared with another so, before it is in use.
func WithKey(ctx context.Context, key Secret) context.Context {
	return context.WithValue(ctx, callKey{}, key)
}

// PerCall is a source that gives the key of [WithKey], and else that of source. What is
// stored for one key is not mixed with what is stored for another, as long as its name
// comes from the same source.
func PerCall(source KeySource) *CallKeys { return &CallKeys{source: source} }

// CallKeys is a [KeySource] that remembers its key for as long as a second, for those who
// only need its name. It is safe for concurrent use.
type CallKeys struct {
	source KeySource
	last   atomic.Pointer[lookedAt]
}

// lookedAt is a key, and when the source gave it.
type lookedAt struct {
	key Secret
	at  time.Time
}

// Key implements [KeySource].
func (c *CallKeys) Key(ctx context.Context) (Secret, error) {
	if key, ok := ctx.Value(callKey{}).(Secret); ok {
		return key, nil
	}
	// The time before the key: what changes meanwhile is not older than it says.
	now := time.Now()
	key, err := c.source.Key(ctx)
	if err != nil {
		c.last.Store(nil)
		return Secret{}, err
	}
	if last := c.last.Load(); last == nil || now.Sub(last.at) >= recently/2 || !last.key.Equal(key) {
		c.last.Store(&lookedAt{key, now})
	}
	return key, nil
}

// Recent is Key for the look-up of a stored answer, which asks the source at most once a
// second: to look at a file costs more than the rest of the look-up. A key that Key has
// seen since is the one that it gives.
func (c *CallKeys) Recent(ctx context.Context) (Secret, error) {
	if last := c.last.Load(); last != nil && time.Since(last.at) < recently && ctx.Value(callKey{}) == nil {
		return last.key, nil
	}
	return c.Key(ctx)
}
