package httpdoor

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/connguard"
	"github.com/admin-gateway/admin-gateway/service/door"
)

// WithConnection gives every request of next its [door.Connection]. Calls then end
// with their deadline, also while they wait for the body of their request:
// connecthttp waits in a Read that knows no deadline. The http.ResponseWriter is
// passed on as it is.
//
// next gets the context with the connection beside the request, which knows nothing
// of it, so that it need not be copied. The body is read as [Body] has it, or from
// what [Request] makes of the request.
func WithConnection(next func(ctx context.Context, w http.ResponseWriter, r *http.Request)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &connection{Context: r.Context(), writer: w, tls: r.TLS, http1: r.ProtoMajor == 1}
		if on, ok := r.Context().Value(connKey{}).(*conn); ok {
			c.call = on.guard.Call()
			defer c.call.End()
		}
		if r.Body != nil && r.Body != http.NoBody {
			c.body = r.Body
			defer c.end()
		}
		next(c, w, r) //nolint:contextcheck // c is the context of the request.
	})
}

// Request is a copy of r for a handler that finds all in it: with the context that
// [WithConnection] has made, and its body.
func Request(ctx context.Context, r *http.Request) *http.Request {
	r = r.WithContext(ctx)
	if c, ok := ctx.(*connection); ok && c.body != nil {
		r.Body = c
	}
	return r
}

// Body is the body of the request of a context that [WithConnection] has made; empty
// where it has none. Its reads end with the call.
func Body(ctx context.Context) io.Reader {
	if c, ok := ctx.(*connection); ok && c.body != nil {
		return c
	}
	return http.NoBody
}

// Called returns whether a request became a call. ctx is the context with its
// connection, for which the first interceptor of a call asks (door.Require).
func Called(ctx context.Context) bool {
	c, ok := ctx.(*connection)
	return ok && c.called.Load()
}

// connection is that of one request, its context, and its body: one allocation for
// all three.
type connection struct {
	context.Context
	writer http.ResponseWriter
	tls    *tls.ConnectionState
	call   connguard.Call // of no connection, where it is not on a [Port]
	body   io.ReadCloser  // nil: the request has none
	http1  bool
	called atomic.Bool // an interceptor asked for the connection

	mu                 sync.Mutex
	ended, interrupted bool
}

// Value implements [context.Context].
func (c *connection) Value(key any) any {
	if door.IsKey(key) {
		if !c.called.Load() {
			c.called.Store(true)
		}
		return door.Connection(c)
	}
	return c.Context.Value(key)
}

// TLS implements [door.Connection].
func (c *connection) TLS() *tls.ConnectionState { return c.tls }

// Trust implements [door.Connection].
func (c *connection) Trust(caller string) error { return c.call.Authenticated(caller) }

// Probe implements [door.Connection].
func (c *connection) Probe() { c.call.Probe() }

// Waits implements [door.Connection].
func (c *connection) Waits() bool { return c.body != nil }

// Read reads the body, and notices its end.
func (c *connection) Read(p []byte) (int, error) {
	n, err := c.body.Read(p)
	if err != nil && c.end() && c.http1 {
		// The deadline may have struck the read of net/http after the body, and then
		// nothing more can come on this connection. The body of an HTTP/1.1 request
		// is read by the goroutine that answers it.
		c.writer.Header().Set("Connection", "close")
	}
	return n, err
}

// Close closes the body.
func (c *connection) Close() error { return c.body.Close() }

// end returns whether the body was interrupted before.
func (c *connection) end() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	return c.interrupted
}

// Interrupt implements [door.Connection]. Once the body is through it does nothing:
// on HTTP/1.1 the deadline would be that of the next request.
func (c *connection) Interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.body == nil || c.ended || c.interrupted {
		return
	}
	c.interrupted = true
	_ = http.NewResponseController(c.writer).SetReadDeadline(time.Unix(1, 0)) // A writer that cannot belongs to no http.Server, and has no client to wait for.
}

// ExtendTo implements [door.Connection]: an http.Server bounds every answer.
func (c *connection) ExtendTo(end time.Time) {
	_ = http.NewResponseController(c.writer).SetWriteDeadline(end) // As above.
}

// restOfRefused is how long to wait for the rest of a request that was refused
// unread.
const restOfRefused = time.Second

// AbandonRequest implements [door.Connection]. It is for a call before anything is
// read or answered: later the deadline could be that of the next request. On
// HTTP/1.1 net/http reads up to 256 KiB of what is left before the answer goes out,
// because a client that is still sending would find the connection closed and not
// the answer. A client without a credential could make it wait for long.
func (c *connection) AbandonRequest() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.http1 && c.body != nil && !c.ended && !c.interrupted {
		_ = http.NewResponseController(c.writer).SetReadDeadline(time.Now().Add(restOfRefused)) // As above.
	}
}
