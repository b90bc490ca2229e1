package accounting

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// OwnCall says of a call that the gateway makes it for itself.
type OwnCall struct {
	// Agent is the part of the gateway that makes the call, such as "leases"; "" for a
	// call of a caller's.
	Agent string
	// Within is the id of the call in whose course it is made; "" for one that is made
	// in the background.
	Within string
}

// Lease is what a record says of a lease. All of it may be "".
type Lease struct {
	// ID is the id of the lease, Role its role, Holder whom it is for, and Cause why the
	// gateway does what it does.
	ID, Role, Holder, Cause string
}

// Own begins the account of a call that the gateway makes for itself, in the course of
// the call of ctx or in the background. It is a call of its own, with an id of its own,
// and leaves the account of the other one alone.
func Own(ctx context.Context, agent, procedure string) (context.Context, *Call) {
	whole := From(ctx)
	c := &accountContext{Context: ctx, call: Call{
		ID: newID(), Start: time.Now(), Procedure: procedure, TraceID: whole.TraceID,
		Own: OwnCall{Agent: agent, Within: whole.ID},
	}}
	if span := trace.SpanContextFromContext(ctx); span.HasTraceID() {
		c.call.TraceID = span.TraceID().String()
	}
	return c, &c.call
}
