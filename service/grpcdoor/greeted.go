package grpcdoor

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc/peer"
)

// greeted is a listener that knows which of its connections have not yet become
// HTTP/2 ones.
type greeted struct {
	net.Listener

	mu     sync.Mutex
	silent map[*conn]struct{}
	// open finds the connection of a call: grpc-go shows no more of it than its
	// address.
	open   map[string]*conn
	closed bool
}

func newGreeted(l net.Listener) *greeted {
	return &greeted{Listener: l, silent: make(map[*conn]struct{}), open: make(map[string]*conn)}
}

// Accept waits for the next connection.
func (g *greeted) Accept() (net.Conn, error) {
	accepted, err := g.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: accepted, of: g}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		// Whoever serves it finds that out at its first read.
		_ = accepted.Close()
	} else {
		g.silent[c] = struct{}{}
		g.open[c.RemoteAddr().String()] = c
	}
	return c, nil
}

// closeSilent closes the connections that have said nothing so far, and those
// that are still to come.
func (g *greeted) closeSilent() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for c := range g.silent {
		_ = c.Conn.Close() // Nobody has heard anything on it.
	}
	clear(g.silent)
}

// find is the open connection from an address; nil when there is none.
func (g *greeted) find(address string) *conn {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open[address]
}

// count counts a call that has ended, and closes the connection of a client that
// takes back most of what it begins.
func (g *greeted) count(wire context.Context, begun time.Time) {
	p, ok := peer.FromContext(wire)
	if !ok {
		return
	}
	// grpc-go may also cancel what is over its deadline.
	deadline, bounded := wire.Deadline()
	back := errors.Is(wire.Err(), context.Canceled) && (!bounded || time.Now().Before(deadline))
	c := g.find(p.Addr.String())
	if c != nil && c.resets.ended(time.Since(begun), back) {
		_ = c.Close() // Whoever serves it notices.
	}
}

func (g *greeted) gone(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.silent, c)
	if address := c.RemoteAddr().String(); g.open[address] == c {
		delete(g.open, address)
	}
}

func (g *greeted) forget(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.silent, c)
}

// conn is a connection of a greeted listener.
type conn struct {
	net.Conn
	of *greeted

	resets resets
}

// SetDeadline notices the end of the handshakes: grpc-go sets one deadline for
// all of them, and takes it away when they are done.
func (c *conn) SetDeadline(t time.Time) error {
	if t.IsZero() {
		c.of.forget(c)
	}
	return c.Conn.SetDeadline(t)
}

// Close closes the connection.
func (c *conn) Close() error {
	c.of.gone(c)
	return c.Conn.Close()
}
