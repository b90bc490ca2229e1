package connguard_test

import (
	"context"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/admin-gateway/admin-gateway/internal/connguard"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// firstCall is how long connections of a test may take to authenticate.
const firstCall = 10 * time.Second

// pass lets the simulated time of a test pass.
func pass(d time.Duration) { <-time.After(d) }

// pipes is a listener whose connections are pipes.
type pipes struct {
	connections chan net.Conn
	closed      chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.connections:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error { close(p.closed); return nil }
func (*pipes) Addr() net.Addr { return new(net.TCPAddr) }
func (p *pipes) offer(from string) net.Conn {
	server, client := net.Pipe()
	address, _ := net.ResolveTCPAddr("tcp", from)
	p.connections <- at{server, address}
	return client
}

// at is a connection from an address.
type at struct {
	net.Conn
	address net.Addr
}

// RemoteAddr is the address.
func (a at) RemoteAddr() net.Addr { return a.address }

// table is a listener under test.
type table struct {
	*connguard.Listener
	pipes *pipes
}

func newTable(t *testing.T, places int, counters *connguard.Counters) *table {
	t.Helper()
	p := &pipes{connections: make(chan net.Conn, 1), closed: make(chan struct{})}
	l := connguard.NewListener(p, connguard.Options{Places: places, FirstCall: firstCall, Counters: counters})
	t.Cleanup(func() { _ = l.Close() })
	return &table{l, p}
}

// connected is a connection, and what its client sees of it.
type connected struct {
	*connguard.Conn
	ended chan struct{} // closed when the client sees its end
}

// connect opens a connection.
func (l *table) connect(t *testing.T, from string) connected {
	t.Helper()
	client := l.pipes.offer(from)
	c, err := l.AcceptConn()
	if err != nil {
		t.Fatal(err)
	}
	connection := connected{c, make(chan struct{})}
	go func() {
		defer close(connection.ended)
		_, _ = client.Read(make([]byte, 1)) // Until the end.
	}()
	t.Cleanup(func() {
		_ = c.Close()
		<-connection.ended
	})
	return connection
}

// known opens a connection whose caller has made one call, which has ended.
func (l *table) known(t *testing.T, caller string) connected {
	t.Helper()
	c := l.connect(t, "192.0.2.1:1")
	call := c.call(t, caller)
	call.End()
	return c
}

// call begins an authenticated call.
func (c connected) call(t *testing.T, caller string) *connguard.Call {
	t.Helper()
	call := c.Call()
	if err := call.Authenticated(caller); err != nil {
		t.Fatal(err)
	}
	return &call
}

// open returns whether the gateway has not closed the connection so far.
func (c connected) open() bool {
	select {
	case <-c.ended:
		return false
	default:
		return true
	}
}

// gone waits for the end of the connection.
func (c connected) gone(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	select {
	case <-c.ended:
	case <-ctx.Done():
		t.Error("the connection stays")
	}
}
