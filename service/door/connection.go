package door

import (
	"context"
	"crypto/tls"
	"errors"
	"time"

	"connectrpc.com/connect/v2"
)

// ProtocolREST is the protocol of a call (connect.CallInfo) that came in the
// upstream's own form: what that form has no word for, its caller cannot say.
const ProtocolREST = "rest"

// ProtocolVault is the protocol of a call that came in the form of Vault's HTTP API.
const ProtocolVault = "vault"

// ProtocolConsole is the protocol of a call that a page of the console makes.
const ProtocolConsole = "console"

// Connection is the connection on which a call came. Every door offers one with
// [WithConnection]; a call without one is refused ([Require]). A method that a
// protocol has no use for does nothing.
type Connection interface {
	// TLS is the state that crypto/tls gave, nil for a connection without TLS.
	TLS() *tls.ConnectionState
	// Trust says that the caller of the call has been authenticated: until the call
	// ends, the connection keeps its place, which is one of the caller's. An error
	// says that the door has none for it, and that the call must not go on.
	Trust(caller string) error
	// Probe says that the call is a health check, for which no credential is due.
	Probe()
	// Waits says whether a Receive can wait for the client; if not, Interrupt does
	// nothing. Who asks interrupts a Receive whose call has ended meanwhile: the
	// connection may leave it to that.
	Waits() bool
	// Interrupt makes a Receive that waits for the client, and all that follow,
	// fail. It may be called at any time, more than once, by any goroutine.
	Interrupt()
	// ExtendTo gives the answer until end, where the door bounds answers.
	ExtendTo(end time.Time)
	// AbandonRequest bounds the wait for the rest of a request of which nothing was
	// read, and that is being refused.
	AbandonRequest()
}

type contextKey struct{}

// WithConnection returns a context for a call that came on c.
func WithConnection(ctx context.Context, c Connection) context.Context {
	return context.WithValue(ctx, contextKey{}, c)
}

// IsKey says whether key is that of a context's connection, for a connection that is
// its context: its Value returns itself, as a [Connection], for this key.
func IsKey(key any) bool { return key == (contextKey{}) }

// ConnectionOf is the connection of the call that ctx belongs to; false for a
// context that no door made.
func ConnectionOf(ctx context.Context) (Connection, bool) {
	c, ok := ctx.Value(contextKey{}).(Connection)
	return c, ok
}

// errNoConnection is the error for a door that is not complete.
var errNoConnection = errors.New("the door offers no connection or no headers")

// Require is the interceptor that refuses a call whose door offers no connection or
// no headers. It comes first, so that no other degrades silently.
func Require(next connect.ServerFunc) connect.ServerFunc {
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		_, headers := connect.CallInfoForServerContext(ctx)
		if _, ok := ConnectionOf(ctx); !ok || !headers {
			return connect.NewError(connect.CodeInternal, "internal error").WithCause(errNoConnection)
		}
		return next(ctx, spec, stream)
	}
}

// InProcess stands in for the connection of a caller in the same process.
type InProcess struct{}

// TLS implements [Connection].
func (InProcess) TLS() *tls.ConnectionState { return nil }

// Trust implements [Connection].
func (InProcess) Trust(string) error { return nil }

// Probe implements [Connection].
func (InProcess) Probe() {}

// Waits implements [Connection]: a caller in this process sends its request whole.
func (InProcess) Waits() bool { return false }

// Interrupt implements [Connection].
func (InProcess) Interrupt() {}

// ExtendTo implements [Connection].
func (InProcess) ExtendTo(time.Time) {}

// AbandonRequest implements [Connection].
func (InProcess) AbandonRequest() {}
