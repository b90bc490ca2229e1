// Package connguard holds up connections on which nobody has shown who they are,
// and most of what is asked is taken back at once.
package connguard

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// early is a request that its client took back before it can have wanted an
	// answer.
	early = time.Second
	// looked is from how many requests on a connection is judged.
	looked = 20
	// HeldUp is how long nothing is read of a connection before it is closed. Were
	// it closed at once, its client would be back at once, and what it had begun
	// would pile up.
	HeldUp = 2 * time.Second
)

// Conn counts what a stranger takes back on HTTP/2 (CVE-2023-44487). Requests
// that were taken back do not count against those that it may have open, so that
// it could make a server begin any number of them. Who has shown who it is may:
// its calls are counted elsewhere, and its deadlines may be short.
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

// Trust says that whoever uses the connection has shown who it is.
func (c *Conn) Trust() {
	if !c.trusted.Load() {
		c.trusted.Store(true)
	}
}

// Trusted tells whether Trust was called.
func (c *Conn) Trusted() bool { return c.trusted.Load() }

// Ended counts a request that began at begun and is over; takenBack tells that its
// client did not wait for the answer.
func (c *Conn) Ended(begun time.Time, takenBack bool) {
	requests, back := c.requests.Add(1), c.back.Load()
	if takenBack && time.Since(begun) < early {
		back = c.back.Add(1)
	}
	if requests < looked || 2*back <= requests || c.trusted.Load() || !c.held.CompareAndSwap(false, true) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end = time.AfterFunc(HeldUp, func() { _ = c.Close() }) // Whoever serves it notices.
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
