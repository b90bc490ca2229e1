package grpcdoor

import (
	"context"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc/peer"

	"github.com/admin-gateway/admin-gateway/internal/bursts"
	"github.com/admin-gateway/admin-gateway/internal/connguard"
)

// greeted is a listener that tracks which of its connections have not yet
// finished their handshakes.
type greeted struct {
	*connguard.Listener

	mu     sync.Mutex
	silent map[*conn]struct{}
	closed bool
}

func newGreeted(l *connguard.Listener) *greeted {
	return &greeted{Listener: l, silent: make(map[*conn]struct{})}
}

// Accept waits for the next connection.
func (g *greeted) Accept() (net.Conn, error) {
	accepted, err := g.AcceptConn()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: accepted, of: g, client: accepted.RemoteAddr().String()}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		// The server notices at its first read.
		_ = accepted.Close()
	} else {
		g.silent[c] = struct{}{}
	}
	return c, nil
}

// closeSilent closes the connections that have sent nothing so far, and those
// that are still to come.
func (g *greeted) closeSilent() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for c := range g.silent {
		_ = c.Conn.Close() // Nothing was sent on it.
	}
	clear(g.silent)
}

func (g *greeted) forget(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.silent, c)
}

// conn is a connection of a greeted listener.
type conn struct {
	*connguard.Conn
	of     *greeted
	client string // its address, which is said with each call
}

// SetDeadline notices the end of the handshakes: grpc-go sets one deadline for
// all of them, and takes it away when they are done.
func (c *conn) SetDeadline(t time.Time) error {
	if t.IsZero() {
		c.of.forget(c)
	}
	return c.Conn.SetDeadline(t)
}

// Write writes answers, those of a moment together: grpc-go waits for more by itself only
// where it has less than 1,000 bytes.
func (c *conn) Write(p []byte) (int, error) { return bursts.Write(c.Conn, p) }

// Close closes the connection.
func (c *conn) Close() error {
	c.of.forget(c)
	return c.Conn.Close()
}

// address is that of a client, and leads to its connection: grpc-go exposes
// nothing else of it.
type address struct {
	net.Addr
	conn *conn
}

// String is the address in words.
func (a address) String() string { return a.conn.client }

// RemoteAddr is the client's.
func (c *conn) RemoteAddr() net.Addr { return address{c.Conn.RemoteAddr(), c} }

// call is a call on the connection, which may be nil.
func (c *conn) call() connguard.Call {
	if c == nil {
		return connguard.Call{}
	}
	return c.Call()
}

// count counts a call that has ended.
func count(wire context.Context) {
	if c := connOf(wire); c != nil {
		c.Ended()
	}
}

// connOf is the connection of a call; nil when it is not on a greeted
// listener.
func connOf(ctx context.Context) *conn {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil
	}
	at, _ := p.Addr.(address)
	return at.conn
}
