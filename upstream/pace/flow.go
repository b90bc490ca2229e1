package pace

import (
	"context"
	"sync"
)

// Class says how urgent a call is. A value that is not one of the constants, such
// as zero, is taken for FanOut.
type Class uint8

// The classes, in the order in which they go.
const (
	// Revocation takes access away: deletes of keys, users, roles.
	Revocation Class = iota + 1
	// Interactive is a call that somebody waits for.
	Interactive
	// FanOut is one of many calls that make up one answer.
	FanOut
)

// classes is how many there are, and one more: they are indices.
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

// Flow is whom a call is made for. Flows of a class share what there is equally.
type Flow struct {
	// Key tells flows apart, such as a caller's name. It is not logged.
	Key string
	// Class is the class of the call.
	Class Class
}

type flowKey struct{}

// errand is what a context carries: the flow of its calls, which may rise.
type errand struct {
	mu   sync.Mutex
	flow Flow
	// moved are the calls of the errand that wait now.
	moved map[*waiter]func(Flow)
}

// WithFlow returns a context whose calls are made for flow.
func WithFlow(ctx context.Context, flow Flow) context.Context {
	return context.WithValue(ctx, flowKey{}, &errand{flow: flow})
}

// FlowFrom returns the flow of ctx. Without one it is the unnamed flow, of class
// Interactive.
func FlowFrom(ctx context.Context) Flow {
	e, ok := ctx.Value(flowKey{}).(*errand)
	if !ok {
		return Flow{Class: Interactive}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	flow := e.flow
	flow.Class = flow.Class.valid()
	return flow
}

// Raise makes the calls of ctx, those that wait and those to come, as urgent as
// flow, for whom they are made from now on; where they are that already, it does
// nothing. It is for somebody who comes to wait for what others have begun. It
// concerns all contexts that are made of the one that [WithFlow] returned.
func Raise(ctx context.Context, flow Flow) {
	e, ok := ctx.Value(flowKey{}).(*errand)
	if !ok {
		return // It is Interactive, and no revocation waits for others' calls.
	}
	flow.Class = flow.Class.valid()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.flow.Class.valid() <= flow.Class {
		return
	}
	e.flow = flow
	for _, move := range e.moved {
		move(flow)
	}
}

// follow has move called with every flow that the errand rises to, until the
// function that it returns is called.
func (e *errand) follow(w *waiter, from Flow, move func(Flow)) (leave func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.moved == nil {
		e.moved = make(map[*waiter]func(Flow))
	}
	e.moved[w] = move
	if to := e.flow; to.Class.valid() < from.Class { // Meanwhile.
		move(to)
	}
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.moved, w)
	}
}
