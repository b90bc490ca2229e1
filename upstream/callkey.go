package upstream

import "context"

type callKey struct{}

// WithKey makes the calls of a context with this key, where they are made by a Client
// whose source is of [PerCall]: one key is compared with another so, before it is in use.
func WithKey(ctx context.Context, key Secret) context.Context {
	return context.WithValue(ctx, callKey{}, key)
}

// PerCall is a source that gives the key of [WithKey], and else that of source. What is
// stored for one key is not mixed with what is stored for another, as long as its name
// comes from the same source.
func PerCall(source KeySource) KeySource { return perCall{source} }

type perCall struct{ source KeySource }

// Key implements [KeySource].
func (p perCall) Key(ctx context.Context) (Secret, error) {
	if key, ok := ctx.Value(callKey{}).(Secret); ok {
		return key, nil
	}
	return p.source.Key(ctx)
}
