package pace

import "context"

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

// WithFlow returns a context whose calls are made for flow.
func WithFlow(ctx context.Context, flow Flow) context.Context {
	return context.WithValue(ctx, flowKey{}, flow)
}

// FlowFrom returns the flow of ctx. Without one it is the unnamed flow, of class
// Interactive.
func FlowFrom(ctx context.Context) Flow {
	flow, ok := ctx.Value(flowKey{}).(Flow)
	if !ok {
		return Flow{Class: Interactive}
	}
	flow.Class = flow.Class.valid()
	return flow
}
