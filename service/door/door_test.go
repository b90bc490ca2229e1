package door_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"testing"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/internal/rpctest"
	"github.com/admin-gateway/admin-gateway/service/door"
)

// connection records what is asked of it. Its client never sends.
type connection struct {
	interrupted chan struct{}
	end         time.Time
	abandoned   int
}

func (*connection) TLS() *tls.ConnectionState { return nil }
func (*connection) Trust(string) error        { return nil }
func (*connection) Probe()                    {}
func (*connection) Waits() bool               { return true }
func (c *connection) Interrupt()              { close(c.interrupted) }
func (c *connection) ExtendTo(end time.Time)  { c.end = end }
func (c *connection) AbandonRequest()         { c.abandoned++ }

// silentStream waits in Receive until its connection is interrupted.
type silentStream struct {
	connect.ServerStream
	connection *connection
}

func (s silentStream) Receive(any) error {
	<-s.connection.interrupted
	return errors.New("broken pipe")
}

func (silentStream) Send(any) error     { return nil }
func (silentStream) SendHeaders() error { return nil }

func serve(t *testing.T, kind connect.StreamType, longest, longestStream time.Duration, handler connect.ServerFunc) (*connection, error) {
	t.Helper()
	c := &connection{interrupted: make(chan struct{})}
	err := door.WithDeadline(longest, longestStream)(handler)(door.WithConnection(t.Context(), c), connect.Spec{StreamType: kind}, silentStream{connection: c})
	return c, err
}

// TestRequire: a call without a connection or without headers ends at the first
// interceptor, as an internal error that says nothing.
func TestRequire(t *testing.T) {
	t.Parallel()
	served := 0
	next := func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		served++
		return rpctest.Answer(ctx, spec, stream)
	}
	whole := rpctest.Call{Interceptors: []connect.ServerInterceptor{door.Require}, Handler: next}
	if _, err := whole.Do(t.Context()); err != nil || served != 1 {
		t.Fatalf("a whole door: %v, served %d times", err, served)
	}
	connectionless := whole
	connectionless.WithoutConnection = true
	_, withoutConnection := connectionless.Do(t.Context())
	// Headers come with the context that the library makes for a call.
	withoutHeaders := door.Require(next)(door.WithConnection(t.Context(), door.InProcess{}), connect.Spec{}, nil)
	neither := door.Require(next)(t.Context(), connect.Spec{}, nil)
	for name, err := range map[string]error{"without connection": withoutConnection, "without headers": withoutHeaders, "without either": neither} {
		e, ok := errors.AsType[*connect.Error](err)
		if !ok || e.Code() != connect.CodeInternal || e.Message() != "internal error" {
			t.Errorf("a door %s: %v", name, err)
		}
	}
	if served != 1 {
		t.Errorf("served %d times", served)
	}
}

// TestWithDeadline: a call has the deadline of its kind, and a caller's that is
// earlier stays.
func TestWithDeadline(t *testing.T) {
	t.Parallel()
	for kind, want := range map[connect.StreamType]time.Duration{
		connect.StreamTypeUnary: time.Minute, connect.StreamTypeServer: time.Hour, connect.StreamTypeBidi: time.Minute, connect.StreamTypeClient: time.Minute,
	} {
		c, err := serve(t, kind, time.Minute, time.Hour, func(ctx context.Context, _ connect.Spec, _ connect.ServerStream) error {
			end, ok := ctx.Deadline()
			if left := time.Until(end); !ok || left > want || left < want-10*time.Second {
				t.Errorf("%v: %s are left, want %s", kind, left, want)
			}
			return nil
		})
		if err != nil || c.end.IsZero() == (kind == connect.StreamTypeServer) {
			t.Errorf("%v: the answer may take until %s, %v", kind, c.end, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := door.WithDeadline(time.Hour, time.Hour)(func(ctx context.Context, _ connect.Spec, _ connect.ServerStream) error {
		if end, _ := ctx.Deadline(); time.Until(end) > time.Second {
			t.Errorf("%s are left", time.Until(end))
		}
		return nil
	})(ctx, connect.Spec{}, nil); err != nil {
		t.Error(err)
	}
}

// TestDeadlineEndsAReceive that waits for the client: the error is the end of the
// context, and not the word of the connection.
func TestDeadlineEndsAReceive(t *testing.T) {
	t.Parallel()
	c, err := serve(t, connect.StreamTypeUnary, time.Millisecond, time.Hour, func(_ context.Context, _ connect.Spec, stream connect.ServerStream) error {
		return stream.Receive(nil)
	})
	if !errors.Is(err, context.DeadlineExceeded) || c.abandoned != 0 {
		t.Errorf("%v, abandoned %d times", err, c.abandoned)
	}
}

// TestRefusedRequestsAreAbandoned: only a request of which nothing was read or
// answered.
func TestRefusedRequestsAreAbandoned(t *testing.T) {
	t.Parallel()
	refusal := errors.New("refused")
	for name, test := range map[string]struct {
		handler   func(stream connect.ServerStream) error
		abandoned int
	}{
		"refused":              {func(connect.ServerStream) error { return refusal }, 1},
		"answered":             {func(stream connect.ServerStream) error { return stream.Send(nil) }, 0},
		"refused after answer": {func(stream connect.ServerStream) error { return errors.Join(stream.Send(nil), refusal) }, 0},
		"refused after header": {func(stream connect.ServerStream) error { return errors.Join(stream.SendHeaders(), refusal) }, 0},
		"nothing at all":       {func(connect.ServerStream) error { return nil }, 0},
	} {
		c, _ := serve(t, connect.StreamTypeUnary, time.Minute, time.Hour, func(_ context.Context, _ connect.Spec, stream connect.ServerStream) error {
			return test.handler(stream)
		})
		if c.abandoned != test.abandoned {
			t.Errorf("%s: abandoned %d times, want %d", name, c.abandoned, test.abandoned)
		}
	}
}

// endedStream is a stream whose client has sent all.
type endedStream struct{ connect.ServerStream }

func (endedStream) Receive(any) error { return io.EOF }

// TestBind: the end of a stream stays its end, also after that of the context.
func TestBind(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := door.Bind(ctx, endedStream{}).Receive(nil); !errors.Is(err, io.EOF) {
		t.Errorf("%v", err)
	}
}

// TestInProcess has no connection, and so nothing to do.
func TestInProcess(t *testing.T) {
	t.Parallel()
	var c door.Connection = door.InProcess{}
	if err := c.Trust("somebody"); err != nil {
		t.Error(err)
	}
	c.Probe()
	c.Interrupt()
	c.ExtendTo(time.Now())
	c.AbandonRequest()
	if c.TLS() != nil || c.Waits() {
		t.Error("a caller in this process has a connection")
	}
}
