package cache

import "context"

type departureKey struct{}

type departure struct {
	do    func(ctx context.Context)
	outer context.Context
}

// WithDeparture returns a context in which [Depart] calls do, after the functions of
// ctx itself.
func WithDeparture(ctx context.Context, do func(ctx context.Context)) context.Context {
	return context.WithValue(ctx, departureKey{}, departure{do, ctx})
}

// Depart is called when the request of a fetch goes out, after all waits: the
// response shows a state of this moment or a later one. What happened before cannot
// make it stale. Without [WithDeparture] it does nothing.
func Depart(ctx context.Context) {
	if d, ok := ctx.Value(departureKey{}).(departure); ok {
		Depart(d.outer)
		d.do(ctx)
	}
}
