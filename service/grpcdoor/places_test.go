package grpcdoor_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect/v2"
	"golang.org/x/net/http2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/admin-gateway/admin-gateway/internal/conntest"
	"github.com/admin-gateway/admin-gateway/service/door"
	"github.com/admin-gateway/admin-gateway/service/grpcdoor"
)

// authenticating stands in for the interceptors: a call with the header Caller is
// authenticated, and one with Probe is a health check.
func authenticating(f sayFunc) *connect.Server {
	return serving(func(ctx context.Context, text string) (string, error) {
		info, _ := connect.CallInfoForServerContext(ctx)
		c, _ := door.ConnectionOf(ctx)
		if info.RequestHeader().Has("Probe") {
			c.Probe()
		}
		if caller := info.RequestHeader().Get("Caller"); caller != "" {
			if err := c.Trust(caller); err != nil {
				return "", connect.NewError(connect.CodeResourceExhausted, "no place")
			}
		}
		return f(ctx, text)
	})
}

// as is the context of a call of a caller, or of a probe.
func as(ctx context.Context, kind, name string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, kind, name)
}

// TestSilentClientsKeepNobodyOut: more connections than there are places, of clients
// that begin with HTTP/2 and then say nothing. Callers and probes get through at
// once, and who was there before stays.
func TestSilentClientsKeepNobodyOut(t *testing.T) {
	t.Parallel()
	o := serve(t, authenticating(echo), grpcdoor.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	known := newClient(t, o.address)
	call(t, known, 1, "caller")
	for range 1100 {
		conntest.Greet(t, connectTo(t, o.address))
	}
	for range 10 {
		for kind, name := range map[string]string{"caller": "new", "probe": "yes"} {
			if got, err := invokeWith(as(ctx, kind, name), dial(t, o.address), "hello"); got != "hello" || err != nil {
				t.Fatalf("a %s: %q, %v", kind, got, err)
			}
		}
	}
	call(t, known, 3, "caller")
}

// call makes a call of a caller or a probe on a connection, and waits for its end.
func call(t *testing.T, c *client, stream uint32, kind string) {
	t.Helper()
	err := errors.Join(c.call(stream, [2]string{kind, "somebody"}), c.WriteData(stream, true, envelope(false, nil)))
	if err == nil {
		err = c.until(func(f http2.Frame) bool {
			return f.Header().StreamID == stream && f.Header().Flags.Has(http2.FlagHeadersEndStream)
		})
	}
	if err != nil {
		t.Errorf("call %d of a %s: %v", stream, kind, err)
	}
}

// TestAnonymousCallsKeepNoPlace: calls of strangers that do not end, such as watches,
// make their connections no busier than silence would.
func TestAnonymousCallsKeepNoPlace(t *testing.T) {
	t.Parallel()
	inside := make(chan struct{}, 1)
	o := serve(t, authenticating(func(ctx context.Context, text string) (string, error) {
		if text == "watch" {
			inside <- struct{}{}
			<-ctx.Done()
		}
		return text, ctx.Err()
	}), grpcdoor.Options{MaxConnections: 8})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ended := make(chan error, 20)
	for range 20 {
		conn := dial(t, o.address)
		go func() {
			_, err := invokeWith(as(ctx, "probe", "yes"), conn, "watch")
			ended <- err
		}()
		wait(t, "the watch", inside)
	}
	if got, err := invokeWith(as(ctx, "caller", "somebody"), dial(t, o.address), "hello"); got != "hello" || err != nil {
		t.Errorf("a caller: %q, %v", got, err)
	}
	for range 16 {
		if err := <-ended; status.Code(err) != codes.Unavailable {
			t.Errorf("a watch that lost its place: %v", err)
		}
	}
}

// TestCallsKeepTheirPlace: with a call on every place that callers have, another one
// is refused with an answer, and no call ends.
func TestCallsKeepTheirPlace(t *testing.T) {
	t.Parallel()
	inside, finish := make(chan struct{}), make(chan struct{})
	o := serve(t, authenticating(func(_ context.Context, text string) (string, error) {
		inside <- struct{}{}
		<-finish
		return text, nil
	}), grpcdoor.Options{MaxConnections: 4}) // 3 for callers, 1 for each.
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ended := make(chan error, 3)
	for _, caller := range []string{"a", "b", "c"} {
		conn := dial(t, o.address)
		go func() {
			_, err := invokeWith(as(ctx, "caller", caller), conn, caller)
			ended <- err
		}()
		wait(t, "the call", inside)
	}
	for _, caller := range []string{"a", "d"} {
		if _, err := invokeWith(as(ctx, "caller", caller), dial(t, o.address), ""); status.Code(err) != codes.ResourceExhausted {
			t.Errorf("%s: %v", caller, err)
		}
	}
	close(finish)
	for range 3 {
		if err := <-ended; err != nil {
			t.Errorf("a call under way: %v", err)
		}
	}
}

// TestFirstCallIsDue: a client that begins with HTTP/2 and then says nothing loses its
// connection; one that makes health checks, and a caller, do not.
func TestFirstCallIsDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const due = 10 * time.Second
		l := bufconn.Listen(64 << 10)
		o := serveOn(t, l, authenticating(echo), grpcdoor.Options{ConnectionTimeout: due})
		connect := func() net.Conn {
			conn, err := l.Dial()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() }) // Closed by the door in many cases.
			return conn
		}
		kept := map[string]*client{"caller": clientOn(t, connect(), o.address), "probe": clientOn(t, connect(), o.address)}
		for kind, c := range kept {
			call(t, c, 1, kind)
		}
		for range 3 { // Each for as long as a connection may take.
			conn, began := connect(), time.Now()
			conntest.Greet(t, conn)
			if _, err := io.Copy(io.Discard, conn); err != nil || time.Since(began) != due {
				t.Errorf("a silent connection ended after %s: %v", time.Since(began), err)
			}
		}
		for kind, c := range kept {
			call(t, c, 3, kind)
		}
	})
}
