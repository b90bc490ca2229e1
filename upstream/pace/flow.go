package pace

import (
	"context"
	"sync"
)

// Class is the urgency of a call. A value that is not one of the constants, such
// as zero, counts as FanOut.
type Class uint8

// The classes, in the order in which they go, each within its share.
const (
	// Urgent takes access away that somebody misuses at this moment. It goes before
	// all others, those of its own flow too, but for a tenth of the tokens.
	Urgent Class = iota + 1
	// Revocation takes access away: deletes of keys, users, roles.
	Revocation
	// Mint gives access: creates of keys.
	Mint
	// Interactive is a call whose answer a user waits for.
	Interactive
	// FanOut is one of many calls that make up one answer.
	FanOut
	// Spare tidies up. It goes with tokens that nobody else wants, and has no share.
	Spare
)

// classes is the length of an array that has classes as its indices.
const classes = int(Spare) + 1

// String returns the name of the class, as a metric's label has it.
func (c Class) String() string {
	switch c.valid() {
	case Urgent:
		return "urgent"
	case Revocation:
		return "revocation"
	case Mint:
		return "mint"
	case Interactive:
		return "interactive"
	case Spare:
		return "spare"
	default:
		return "fan_out"
	}
}

func (c Class) valid() Class {
	if c < Urgent || c > Spare {
		return FanOut
	}
	return c
}

// Flow identifies on whose behalf a call is made. Flows share tokens equally.
type Flow struct {
	// Key identifies the flow, such as a caller's name. It is not logged.
	Key string
	// Class is the class of the call.
	Class Class
}

type flowKey struct{}

// maxJoined bounds the flows of a context. Further ones wait for the others.
const maxJoined = 16

// contextFlow is the flows of the calls of a context.
type contextFlow struct {
	mu sync.Mutex
	// flows are those on whose behalf the calls are made. The first one began them.
	flows []Flow
	// waiting has a function for each waiting call of the context, which gives the
	// call a place in another flow.
	waiting map[*waiter]func(Flow)
}

// WithFlow returns a context whose calls are made for flow.
func WithFlow(ctx context.Context, flow Flow) context.Context {
	flow.Class = flow.Class.valid()
	return context.WithValue(ctx, flowKey{}, &contextFlow{flows: []Flow{flow}})
}

// FlowFrom returns the flow that [WithFlow] gave ctx. Without one it is the unnamed
// flow, of class Interactive.
func FlowFrom(ctx context.Context) Flow {
	flows, _ := flowsFrom(ctx)
	return flows[0]
}

// flowsFrom returns the flows of ctx; at least one.
func flowsFrom(ctx context.Context) ([]Flow, *contextFlow) {
	e, ok := ctx.Value(flowKey{}).(*contextFlow)
	if !ok {
		return []Flow{{Class: Interactive}}, nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.flows[:len(e.flows):len(e.flows)], e
}

func mostUrgent(flows []Flow) Class {
	class := Spare
	for _, flow := range flows {
		class = min(class, flow.Class)
	}
	return class
}

// Join lets the calls of ctx, waiting and future ones, wait on behalf of flow too.
// It is for a caller that joins a call of another flow. Such a call keeps its place,
// and goes when the first of its flows has its turn: nobody's call goes later
// because another one joined it, or because it joined another's. That flow pays.
//
// A call that several flows share is a read, so none of them counts as a
// revocation. Join applies to all contexts that are derived from the one that
// [WithFlow] returned.
func Join(ctx context.Context, flow Flow) {
	e, ok := ctx.Value(flowKey{}).(*contextFlow)
	if !ok {
		return // Such calls are nobody's.
	}
	flow.Class = max(flow.Class.valid(), Interactive)
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, has := range e.flows {
		if has.Key == flow.Key && has.Class <= flow.Class {
			return
		}
	}
	if len(e.flows) == maxJoined {
		return
	}
	e.flows = append(e.flows, flow)
	for _, join := range e.waiting {
		join(flow)
	}
}

// follow calls join with every flow that is added to the first known ones, until
// leave is called.
func (e *contextFlow) follow(w *waiter, known int, join func(Flow)) (leave func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.waiting == nil {
		e.waiting = make(map[*waiter]func(Flow))
	}
	e.waiting[w] = join
	for _, flow := range e.flows[known:] { // Added since they were read.
		join(flow)
	}
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.waiting, w)
	}
}
