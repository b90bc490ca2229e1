package grpcdoor_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/admin-gateway/admin-gateway/internal/conntest"
	"github.com/admin-gateway/admin-gateway/service/grpcdoor"
)

// client is an HTTP/2 client that a test controls, frame by frame.
type client struct {
	net.Conn
	*http2.Framer
	headers bytes.Buffer
	encoder *hpack.Encoder
	address string
}

func newClient(t *testing.T, address string) *client {
	t.Helper()
	return clientOn(t, connectTo(t, address), address)
}

// clientOn begins with HTTP/2 on a connection.
func clientOn(t *testing.T, conn net.Conn, address string) *client {
	t.Helper()
	c := &client{Conn: conn, address: address}
	c.Framer = conntest.Begin(t, c.Conn)
	c.encoder = hpack.NewEncoder(&c.headers)
	return c
}

func connectTo(t *testing.T, address string) net.Conn {
	t.Helper()
	return conntest.Dial(t, address, patience)
}

// call opens a stream for the unary method.
func (c *client) call(stream uint32, metadata ...[2]string) error {
	c.headers.Reset()
	for _, field := range append([][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":path", say}, {":authority", c.address},
		{"te", "trailers"}, {"content-type", "application/grpc"},
	}, metadata...) {
		if err := c.encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}); err != nil {
			return err
		}
	}
	return c.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: c.headers.Bytes(), EndHeaders: true})
}

// until reads frames until one matches, and answers pings as every client
// does.
func (c *client) until(found func(http2.Frame) bool) error {
	for {
		f, err := c.ReadFrame()
		if err != nil {
			return err
		}
		if found(f) {
			return nil
		}
		if ping, ok := f.(*http2.PingFrame); ok && !ping.IsAck() {
			if err := c.WritePing(true, ping.Data); err != nil {
				return err
			}
		}
	}
}

func isSettings(f http2.Frame) bool { return f.Header().Type == http2.FrameSettings }

// goodbye reads until the door says why it ends the connection.
func (c *client) goodbye(t *testing.T) (code http2.ErrCode, debug string) {
	t.Helper()
	err := c.until(func(f http2.Frame) bool {
		away, ok := f.(*http2.GoAwayFrame)
		if ok {
			code, debug = away.ErrCode, string(away.DebugData())
		}
		return ok
	})
	if err != nil {
		t.Fatalf("the connection ended without a word: %v", err)
	}
	return code, debug
}

// TestTooManyPings: a client that pings more often than allowed gets an error
// and disconnected.
func TestTooManyPings(t *testing.T) {
	t.Parallel()
	c := newClient(t, serve(t, serving(echo), grpcdoor.Options{}).address)
	for range 10 {
		if err := c.WritePing(false, [8]byte{1}); err != nil {
			break // It may be closed already.
		}
	}
	if code, debug := c.goodbye(t); code != http2.ErrCodeEnhanceYourCalm || debug != "too_many_pings" {
		t.Errorf("the door said %s %q", code, debug)
	}
}

// TestConnectionsDoNotLastForever: a client is asked to come anew, and one that
// stays is disconnected after the grace. Calls go on meanwhile.
func TestConnectionsDoNotLastForever(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	defer close(release)
	server := serving(func(ctx context.Context, text string) (string, error) {
		if text == "wait" {
			select {
			case <-release:
			case <-ctx.Done():
			}
		}
		return text, ctx.Err()
	})
	o := serve(t, server, grpcdoor.Options{MaxConnectionAge: 100 * time.Millisecond, MaxConnectionAgeGrace: 100 * time.Millisecond})
	c := newClient(t, o.address)
	if err := c.call(1); err != nil {
		t.Fatal(err)
	}
	if err := c.WriteData(1, true, envelope(false, []byte("\x0a\x04wait"))); err != nil {
		t.Fatal(err)
	}
	if code, debug := c.goodbye(t); code != http2.ErrCodeNo || debug != "max_age" {
		t.Errorf("the door said %s %q", code, debug)
	}
	if err := c.until(func(http2.Frame) bool { return false }); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the connection ended with %v", err)
	}
	// A real client has three connections, and no call fails.
	conn := dial(t, o.address)
	for range 3 {
		if _, err := invoke(t, conn, "x"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		for state := connectivity.Ready; state == connectivity.Ready; state = conn.GetState() {
			if !conn.WaitForStateChange(ctx, state) {
				t.Fatal("the connection stays")
			}
		}
		cancel()
	}
}

// TestIdleConnectionsAreClosed.
func TestIdleConnectionsAreClosed(t *testing.T) {
	t.Parallel()
	c := newClient(t, serve(t, serving(echo), grpcdoor.Options{MaxConnectionIdle: 50 * time.Millisecond}).address)
	if code, debug := c.goodbye(t); code != http2.ErrCodeNo || debug != "max_idle" {
		t.Errorf("the door said %s %q", code, debug)
	}
}

// TestSilentConnectionsAreClosed: who connects and says nothing, or not what
// HTTP/2 begins with, is disconnected.
func TestSilentConnectionsAreClosed(t *testing.T) {
	t.Parallel()
	o := serve(t, serving(echo), grpcdoor.Options{ConnectionTimeout: 50 * time.Millisecond})
	for name, said := range map[string]string{"nothing": "", "the beginning": http2.ClientPreface[:10], "HTTP/1.1": "GET / HTTP/1.1\r\nHost: gateway\r\n\r\n"} {
		conn := connectTo(t, o.address)
		if _, err := io.WriteString(conn, said); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, conn); err != nil && !errors.Is(err, io.EOF) && isTimeout(err) {
			t.Errorf("%s: the connection stays", name)
		}
	}
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// TestDrain: calls in flight end as if nothing had happened, and no new
// connection is accepted. A connection that never sent anything delays no
// other.
func TestDrain(t *testing.T) {
	t.Parallel()
	inside, release := make(chan struct{}, 1), make(chan struct{})
	server := serving(func(_ context.Context, text string) (string, error) {
		inside <- struct{}{}
		<-release
		return text, nil
	})
	o := serve(t, server, grpcdoor.Options{ConnectionTimeout: 2 * time.Minute, DrainTimeout: 10 * time.Minute})
	silent := connectTo(t, o.address)
	if _, err := io.ReadFull(silent, make([]byte, 9)); err != nil { // The door speaks first.
		t.Fatal(err)
	}
	served := newClient(t, o.address)
	if err := served.call(1); err != nil {
		t.Fatal(err)
	}
	if err := served.WriteData(1, true, envelope(false, nil)); err != nil {
		t.Fatal(err)
	}
	wait(t, "the call", inside)
	conn := dial(t, o.address)
	done := make(chan error, 1)
	go func() {
		got, err := invoke(t, conn, "in flight")
		if err == nil && got != "in flight" {
			err = errors.New(got)
		}
		done <- err
	}()
	wait(t, "the call", inside)
	o.stop()
	if code, _ := served.goodbye(t); code != http2.ErrCodeNo {
		t.Errorf("clients got a GOAWAY with %s", code)
	}
	if _, err := invoke(t, dial(t, o.address), "new"); status.Code(err) != codes.Unavailable {
		t.Errorf("a new client got %v", err)
	}
	if _, err := io.Copy(io.Discard, silent); isTimeout(err) {
		t.Error("the silent connection stays")
	}
	select {
	case <-o.ended:
		t.Error("it ended before its calls")
	default:
	}
	close(release)
	if err := <-done; err != nil {
		t.Errorf("the call in flight: %v", err)
	}
	if err := served.until(func(f http2.Frame) bool {
		return f.Header().StreamID == 1 && f.Header().Flags.Has(http2.FlagHeadersEndStream)
	}); err != nil {
		t.Errorf("the other call in flight: %v", err)
	}
	wait(t, "the end", o.ended)
	if o.err != nil {
		t.Error(o.err)
	}
}

// TestDrainEnds: calls that do not end in time are canceled, and nothing of them
// is left.
func TestDrainEnds(t *testing.T) {
	t.Parallel()
	inside, left := make(chan struct{}, 1), make(chan error, 1)
	server := serving(func(ctx context.Context, _ string) (string, error) {
		inside <- struct{}{}
		<-ctx.Done()
		left <- ctx.Err()
		return "", ctx.Err()
	})
	o := serve(t, server, grpcdoor.Options{DrainTimeout: 50 * time.Millisecond})
	conn := dial(t, o.address)
	done := make(chan error, 1)
	go func() {
		_, err := invoke(t, conn, "")
		done <- err
	}()
	wait(t, "the call", inside)
	o.stop()
	wait(t, "the end", o.ended)
	select {
	case err := <-left:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the handler got %v", err)
		}
	default:
		t.Error("it ended before its handlers")
	}
	if err := <-done; err == nil {
		t.Error("the call succeeded")
	}
	if o.err == nil {
		t.Error("nothing is said of the calls that were canceled")
	}
}

// TestListenerFails: the door ends, with its calls, and says why.
func TestListenerFails(t *testing.T) {
	t.Parallel()
	inside, left := make(chan struct{}, 1), make(chan struct{}, 1)
	server := serving(func(ctx context.Context, _ string) (string, error) {
		inside <- struct{}{}
		<-ctx.Done()
		for range 1000 {
			runtime.Gosched() // It takes its time to leave.
		}
		left <- struct{}{}
		return "", ctx.Err()
	})
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := serveOn(t, l, server, grpcdoor.Options{})
	conn := dial(t, o.address)
	done := make(chan error, 1)
	go func() {
		_, err := invoke(t, conn, "")
		done <- err
	}()
	wait(t, "the call", inside)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	wait(t, "the end", o.ended)
	if len(left) != 1 {
		t.Error("it ended before its handlers")
	}
	if !errors.Is(o.err, net.ErrClosed) {
		t.Errorf("it ended with %v", o.err)
	}
	if err := <-done; err == nil {
		t.Error("the call succeeded")
	}
}

// TestServeFails where it cannot listen, and can be asked again.
func TestServeFails(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	door := grpcdoor.New(serving(echo), grpcdoor.Options{})
	for range 2 {
		if err := door.Serve(t.Context(), l); !errors.Is(err, net.ErrClosed) {
			t.Errorf("served with %v", err)
		}
	}
}

// TestRapidReset: a client that opens calls and resets them at once has no more
// handlers working for it than it may have calls, nor anything else that grows;
// and after so many calls without a credential it is thrown out.
// Not parallel: it counts the goroutines of the process.
func TestRapidReset(t *testing.T) {
	const most, resets = 50, 20_000
	inside := newGauge()
	release := make(chan struct{})
	// Its handlers do not look whether anybody is still there.
	server := connect.NewServer(func(next connect.ServerFunc) connect.ServerFunc {
		return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
			if info, _ := connect.CallInfoForServerContext(ctx); info.RequestHeader().Has("X-Neighbour") {
				return next(ctx, spec, stream)
			}
			inside.add(1)
			defer inside.add(-1)
			<-release
			return nil
		}
	})
	server.Register(connect.Method{Spec: connect.Spec{Procedure: say}, Handler: func(_ context.Context, _ connect.Spec, stream connect.ServerStream) error {
		var in wrapperspb.StringValue
		if err := stream.Receive(&in); err != nil {
			return err
		}
		return stream.Send(&in)
	}})
	o := serve(t, server, grpcdoor.Options{MaxConcurrentStreams: most, DrainTimeout: time.Minute})
	ready, cancelReady := context.WithTimeout(metadata.AppendToOutgoingContext(t.Context(), "x-neighbour", "yes"), patience)
	defer cancelReady()
	if _, err := invokeWith(ready, dial(t, o.address), ""); err != nil { // All that stands by is there.
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	c := newClient(t, o.address)
	thrownOut := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { // It takes what the door says, so that nothing but its limits stops it.
		_, _ = io.Copy(io.Discard, c.Conn)
		close(thrownOut)
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for i := range uint32(most) { // These get as far as a handler.
		if err := c.call(2*i + 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := inside.reach(ctx, most); err != nil {
		t.Fatal(err)
	}
	wg.Go(func() {
		for i := range uint32(resets) {
			var err error
			if i >= most {
				err = c.call(2*i + 1)
			}
			if err := errors.Join(err, c.WriteRSTStream(2*i+1, http2.ErrCodeCancel)); err != nil {
				return
			}
		}
	})
	// Another client is served while the first is held up.
	other := dial(t, o.address)
	for i := range 20 {
		if got, err := invokeWith(metadata.AppendToOutgoingContext(ctx, "x-neighbour", "yes"), other, strconv.Itoa(i)); err != nil || got != strconv.Itoa(i) {
			t.Fatalf("a neighbour got %q, %v", got, err)
		}
	}
	if n := runtime.NumGoroutine() - before; n > most+30 {
		t.Errorf("%d goroutines more than before", n)
	}
	close(release)
	select {
	case <-thrownOut:
	case <-ctx.Done():
		t.Error("the door let it go on")
	}
	_ = c.Conn.Close()
	wg.Wait()
	if n := inside.peak(); n > most {
		t.Errorf("%d handlers at once", n)
	}
}
