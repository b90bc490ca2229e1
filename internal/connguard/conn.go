// Package connguard holds up connections of anonymous callers on which most
// requests are canceled at once.
package connguard

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// early is the age until which a canceled request counts as canceled at once.
	early = time.Second
	// looked is from how many requests on a connection is checked.
	looked = 20
	// HeldUp is how long nothing is read of a connection before it is closed. Were
	// it closed at once, its client would connect again at once, and the begun
	// requests would pile up.
	HeldUp = 2 * time.Second
)

// Conn counts the requests that an anonymous caller cancels on HTTP/2
// (CVE-2023-44487). Canceled requests do not count against the limit of
// concurrent streams, so a client could make a server begin any number of them.
// Authenticated callers may: their calls are counted elsewhere, and their
// deadlines may be short.
type Conn struct {
	net.Conn

	trusted        atomic.Bool
	requests, back atomic.Int64

	held   atomic.Bool
	mu     sync.Mutex
	end    *time.Timer // of a connection that is held up
	once   sync.Once
	closed chan struct{}
}

// NewConn watches a connection.
func NewConn(c net.Conn) *Conn { return &Conn{Conn: c, closed: make(chan struct{})} }

// Trust says that the caller on the connection has been authenticated.
func (c *Conn) Trust() {
	if !c.trusted.Load() {
		c.trusted.Store(true)
	}
}

// Trusted returns whether Trust was called.
func (c *Conn) Trusted() bool { return c.trusted.Load() }

// Ended counts a request that began at begun and is over; canceled says that its
// client did not wait for the answer.
func (c *Conn) Ended(begun time.Time, canceled bool) {
	requests, back := c.requests.Add(1), c.back.Load()
	if canceled && time.Since(begun) < early {
		back = c.back.Add(1)
	}
	if requests < looked || 2*back <= requests || c.trusted.Load() || !c.held.CompareAndSwap(false, true) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end = time.AfterFunc(HeldUp, func() { _ = c.Close() }) // The server notices.
}

// Read waits for the end where the connection is held up.
func (c *Conn) Read(p []byte) (int, error) {
	if c.held.Load() {
		<-c.closed
		return 0, net.ErrClosed
	}
	return c.Conn.Read(p)
}

// Close closes the connection.
func (c *Conn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.end != nil {
			c.end.Stop()
		}
	})
	return c.Conn.Close()
}
