package pace

import (
	"context"
	"sync"
)

// Class is the urgency of a call. A value that is not one of the constants, such
// as zero, counts as FanOut.
type Class uint8

// The classes, in the order in which they go.
const (
	// Revocation takes access away: deletes of keys, users, roles.
	Revocation Class = iota + 1
	// Interactive is a call whose answer a user waits for.
	Interactive
	// FanOut is one of many calls that make up one answer.
	FanOut
)

// classes is the length of an array that has classes as its indices.
const classes = int(FanOut) + 1

// String returns the name of the class, as a metric's label has it.
func (c Class) String() string {
	switch c.valid() {
	case Revocation:
		return "revocation"
	case Interactive:
		return "interactive"
	default:
		return "fan_out"
	}
}

func (c Class) valid() Class {
	if c < Revocation || c > FanOut {
		return FanOut
	}
	return c
}

// Flow identifies on whose behalf a call is made. Flows of a class share tokens
// equally.
type Flow struct {
	// Key identifies the flow, such as a caller's name. It is not logged.
	Key string
	// Class is the class of the call.
	Class Class
}

type flowKey struct{}

// contextFlow is the flow of the calls of a context. Its class may rise.
type contextFlow struct {
	mu   sync.Mutex
	flow Flow
	// waiting has a function for each waiting call of the context, which moves the
	// call to another flow.
	waiting map[*waiter]func(Flow)
}

// WithFlow returns a context whose calls are made for flow.
func WithFlow(ctx context.Context, flow Flow) context.Context {
	return context.WithValue(ctx, flowKey{}, &contextFlow{flow: flow})
}

// FlowFrom returns the flow of ctx. Without one it is the unnamed flow, of class
// Interactive.
func FlowFrom(ctx context.Context) Flow {
	e, ok := ctx.Value(flowKey{}).(*contextFlow)
	if !ok {
		return Flow{Class: Interactive}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	flow := e.flow
	flow.Class = flow.Class.valid()
	return flow
}

// Raise moves the calls of ctx, waiting and future ones, to flow if its class is
// more urgent than theirs; otherwise it does nothing. It is for a caller that
// joins a call of another flow. It applies to all contexts that are derived from
// the one that [WithFlow] returned.
func Raise(ctx context.Context, flow Flow) {
	e, ok := ctx.Value(flowKey{}).(*contextFlow)
	if !ok {
		return // Such calls are Interactive, and no revocation joins a call of others.
	}
	flow.Class = flow.Class.valid()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.flow.Class.valid() <= flow.Class {
		return
	}
	e.flow = flow
	for _, move := range e.waiting {
		move(flow)
	}
}

// follow calls move with every flow that the calls are raised to, until leave is
// called.
func (e *contextFlow) follow(w *waiter, from Flow, move func(Flow)) (leave func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.waiting == nil {
		e.waiting = make(map[*waiter]func(Flow))
	}
	e.waiting[w] = move
	if to := e.flow; to.Class.valid() < from.Class { // Raised since FlowFrom.
		move(to)
	}
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.waiting, w)
	}
}
