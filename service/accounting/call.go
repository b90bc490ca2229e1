package accounting

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"connectrpc.com/connect/v2"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/service/authn"
	"github.com/admin-gateway/admin-gateway/service/authz"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

// RequestIDHeader carries the id of a call back to its caller.
const RequestIDHeader = "X-Request-Id"

// Call is the account of one call. Each part has one writer, which is named with
// it. It belongs to the goroutine that serves the call, but for Reads.
type Call struct {
	// ID, Start and Procedure are written by [WithCall].
	ID        string
	Start     time.Time
	Procedure string
	// TraceID is the trace that the call belongs to: that of the caller's header,
	// written by [WithCall], until the interceptor of spans makes a span; "" for
	// none.
	TraceID string
	// Parent is the span of the caller's traceparent header, written by [WithCall];
	// the zero value where the header is missing or invalid.
	Parent trace.SpanContext

	// Own is written by [Own]; the zero value for a call of a caller's.
	Own OwnCall
	// Lease is the lease that the call is about, written by package admission for a call
	// of the gateway's own, and by package leases for one of LeaseService.
	Lease Lease
	// Admission is written by package admission.
	Admission Admission
	// Cache is written by package readcache: how a read was answered.
	Cache Cache
	// Idempotency is written by package idempotency: how a write with a key was
	// answered, "" without a key.
	Idempotency string
	// Upstream is written by the step that answers: readcache for reads, the one
	// that sends for writes.
	Upstream Upstream
	// Reads counts the reads of a fan-out; many goroutines may write.
	Reads Reads
	// Waits is how long the call waits, written by whatever waits for it.
	Waits Waits
}

// Admission is the caller, the request and the decision.
type Admission struct {
	// Identity is the caller; the zero value for a caller that has not been
	// authenticated.
	Identity authn.Identity
	// Method is nil until it is known that there is such a method.
	Method *catalog.Method
	// Request is nil until it was authorized or denied.
	Request protoreflect.Message
	// Decision is the policy's.
	Decision authz.Decision
	// Verdict is one of the constants audit.Decision….
	Verdict string
	// Reason is why the call was not allowed: an authn or authz reason.
	Reason string
	// Presented is the id of a credential that was not accepted, as far as it has one; it
	// says nothing of who calls.
	Presented string
}

// Upstream is the part of the upstream.
type Upstream struct {
	// RequestID is the upstream's id of its part; "" where it had none.
	RequestID string
	// Done says that a write has been made, or may have been.
	Done bool
}

// Reads counts the reads that a call was made of, and those among them that its
// caller may not make.
type Reads struct{ Made, Refused atomic.Int64 }

type contextKey struct{}

// accountContext is a context with an account, in one allocation.
type accountContext struct {
	context.Context
	call Call
}

// Value implements [context.Context].
func (c *accountContext) Value(key any) any {
	if key == (contextKey{}) {
		return &c.call
	}
	return c.Context.Value(key)
}

// WithCall is the interceptor that begins the account of a call, and sends its id
// to the caller. The id is the gateway's: one that a caller chose could be another
// call's.
func WithCall(next connect.ServerFunc) connect.ServerFunc {
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		begun := &accountContext{Context: ctx, call: Call{ID: newID(), Start: time.Now(), Procedure: spec.Procedure}}
		c := &begun.call
		if info, ok := connect.CallInfoForServerContext(ctx); ok {
			c.Parent = parent(info.RequestHeader().Get("Traceparent")) //nolint:contextcheck // The span of the header, and not that of the context.
			if c.Parent.HasTraceID() {
				c.TraceID = c.Parent.TraceID().String()
			}
			info.ResponseHeader().Set(RequestIDHeader, c.ID)
		}
		return next(begun, spec, stream) //nolint:contextcheck // It is ctx, with an account.
	}
}

// newID is 130 random bits in the alphabet of [crypto/rand.Text], in one allocation. An
// id has to be another than all others, and protects nothing: it may be drawn without a
// call of the system.
func newID() string {
	const alphabet, prefix = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "req_"
	var id [len(prefix) + 26]byte
	copy(id[:], prefix)
	for i, bits := len(prefix), uint64(0); i < len(id); i++ {
		if bits >>= 5; (i-len(prefix))%12 == 0 { // There are 12 times 5 bits in a draw.
			bits = rand.Uint64() //nolint:gosec // As above.
		}
		id[i] = alphabet[bits%32]
	}
	return string(id[:])
}

// From is the account of the call that ctx belongs to. Without one, as in a test of
// a single step, it is an account that is discarded.
func From(ctx context.Context) *Call {
	if c, ok := ctx.Value(contextKey{}).(*Call); ok {
		return c
	}
	return &Call{}
}

// Part begins the account of a read that is a part of the call of ctx. It has the
// id and the trace of the call, for the log, and an account of its own, so that
// parts may be made by several goroutines.
func Part(ctx context.Context) (context.Context, *Call) {
	whole := From(ctx)
	c := &accountContext{Context: ctx, call: Call{ID: whole.ID, Start: time.Now(), Procedure: whole.Procedure, TraceID: whole.TraceID}}
	return c, &c.call
}

// parent reads a W3C traceparent, and no tracestate.
func parent(traceparent string) trace.SpanContext {
	if traceparent == "" {
		return trace.SpanContext{}
	}
	carrier := propagation.MapCarrier{"traceparent": traceparent}
	return trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier))
}
