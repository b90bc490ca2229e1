package client

import (
	"context"
	"net"
	"sync"
)

// conns are the open connections. net/http closes those that are idle, and leaves one
// whose last call has just ended open until its idle time is over; a [Gateway] that is
// closed leaves none.
type conns struct {
	mu     sync.Mutex
	open   map[*conn]struct{}
	closed bool
}

// conn is a connection that takes itself off the list.
type conn struct {
	net.Conn
	list *conns
}

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// dial keeps a list of the connections that a function makes.
func (c *conns) dial(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		made, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.closed {
			_ = made.Close()
			return nil, net.ErrClosed
		}
		added := &conn{made, c}
		c.open[added] = struct{}{}
		return added, nil
	}
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.list.mu.Lock()
	delete(c.list.open, c)
	c.list.mu.Unlock()
	return c.Conn.Close()
}

// close closes all connections; none is made after it.
func (c *conns) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for open := range c.open {
		_ = open.Conn.Close()
	}
}
