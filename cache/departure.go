package cache

import "context"

type departureKey struct{}

// departure is a function and those of the contexts around.
type departure struct {
	do    func(ctx context.Context)
	outer *departure
}

// WithDeparture returns a context in which [Depart] calls do, after the functions of
// ctx itself.
func WithDeparture(ctx context.Context, do func(ctx context.Context)) context.Context {
	outer, _ := ctx.Value(departureKey{}).(*departure)
	return context.WithValue(ctx, departureKey{}, &departure{do, outer})
}

// Depart is called when the request of a fetch goes out, after all waits: the
// response shows a state of this moment or a later one. What happened before cannot
// make it stale. Without [WithDeparture] it does nothing.
func Depart(ctx context.Context) {
	if d, ok := ctx.Value(departureKey{}).(*departure); ok {
		d.depart(ctx)
	}
}

func (d *departure) depart(ctx context.Context) {
	if d.outer != nil {
		d.outer.depart(ctx)
	}
	d.do(ctx)
}
