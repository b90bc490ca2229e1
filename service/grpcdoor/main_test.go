package grpcdoor_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/admin-gateway/admin-gateway/service/grpcdoor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what a test waits for.
const patience = 30 * time.Second

const (
	say     = "/test.v1.Service/Say"
	tell    = "/test.v1.Service/Tell"    // server streaming
	collect = "/test.v1.Service/Collect" // client streaming
	talk    = "/test.v1.Service/Talk"    // both
)

// sayFunc is a unary handler.
type sayFunc func(ctx context.Context, text string) (string, error)

// serving makes a server with one unary method.
func serving(f sayFunc) *connect.Server {
	server := connect.NewServer()
	server.Register(connect.Method{
		Spec: connect.Spec{Procedure: say, StreamType: connect.StreamTypeUnary},
		Handler: func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
			var in wrapperspb.StringValue
			if err := stream.Receive(&in); err != nil {
				return err
			}
			out, err := f(ctx, in.GetValue())
			if err != nil {
				return err
			}
			return stream.Send(wrapperspb.String(out))
		},
	})
	return server
}

func echo(_ context.Context, text string) (string, error) { return text, nil }

// open is a door that is served.
type open struct {
	address string
	stop    context.CancelFunc
	ended   chan struct{}
	err     error // once ended is closed
}

// serve opens a door until the test ends.
func serve(tb testing.TB, server *connect.Server, options grpcdoor.Options) *open {
	tb.Helper()
	l, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return serveOn(tb, l, server, options)
}

func serveOn(tb testing.TB, l net.Listener, server *connect.Server, options grpcdoor.Options) *open {
	tb.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(tb.Context()))
	o := &open{address: l.Addr().String(), stop: stop, ended: make(chan struct{})}
	go func() {
		defer close(o.ended)
		o.err = grpcdoor.New(server, options).Serve(ctx, l)
	}()
	tb.Cleanup(func() {
		stop()
		<-o.ended
	})
	return o
}

// dial connects grpc-go's client.
func dial(tb testing.TB, address string, options ...grpc.DialOption) *grpc.ClientConn {
	tb.Helper()
	options = append([]grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}, options...)
	conn, err := grpc.NewClient(address, options...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() }) // Closed twice where a test does so itself.
	return conn
}

// onePort serves the same over net/http.
func onePort(tb testing.TB, server *connect.Server) string {
	tb.Helper()
	mux := http.NewServeMux()
	connecthttp.Mount(mux, server, connecthttp.WithReadMaxBytes(1<<20), connecthttp.WithCompressMinBytes(1<<10))
	h := httptest.NewUnstartedServer(mux)
	h.Config.Protocols = new(http.Protocols)
	h.Config.Protocols.SetUnencryptedHTTP2(true)
	h.Start()
	tb.Cleanup(h.Close)
	return h.Listener.Addr().String()
}

// invoke calls the unary method.
func invoke(tb testing.TB, conn *grpc.ClientConn, text string, options ...grpc.CallOption) (string, error) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	return invokeWith(ctx, conn, text, options...)
}

func invokeWith(ctx context.Context, conn *grpc.ClientConn, text string, options ...grpc.CallOption) (string, error) {
	var out wrapperspb.StringValue
	err := conn.Invoke(ctx, say, wrapperspb.String(text), &out, options...)
	return out.GetValue(), err
}

// wait waits for an event.
func wait(tb testing.TB, what string, event <-chan struct{}) {
	tb.Helper()
	select {
	case <-event:
	case <-time.After(patience):
		tb.Fatalf("%s did not happen", what)
	}
}

// gauge counts what happens at the same time.
type gauge struct {
	mu        sync.Mutex
	now, most int
	changed   chan struct{}
}

func newGauge() *gauge { return &gauge{changed: make(chan struct{})} }

func (g *gauge) add(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now += n
	g.most = max(g.most, g.now)
	close(g.changed)
	g.changed = make(chan struct{})
}

func (g *gauge) peak() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.most
}

// reach waits until n are there.
func (g *gauge) reach(ctx context.Context, n int) error {
	for {
		g.mu.Lock()
		now, changed := g.now, g.changed
		g.mu.Unlock()
		if now == n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return errors.New("never reached")
		}
	}
}
