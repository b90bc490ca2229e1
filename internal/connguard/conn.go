package connguard

import (
	"math"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/longestqueue"
)

const (
	// allowance is how many requests an anonymous connection may make besides health
	// checks. A client whose credential is good needs one.
	allowance = 100
	// HeldUp is how long nothing is read of a connection that has made more, before it
	// is closed, or makes room for another one. Were it closed at once, its client would connect again at once, and
	// the begun requests would pile up.
	HeldUp = 2 * time.Second
	// gone is added to the calls of a connection that has lost its place: no call
	// begins on it any more.
	gone = math.MinInt64 / 2
)

// Conn is a connection of a [Listener].
type Conn struct {
	net.Conn
	of *Listener

	// calls counts the authenticated calls under way, and ended is when the last one
	// ended, in Unix nanoseconds.
	calls, ended atomic.Int64
	// requests counts all that have ended, health checks apart.
	requests atomic.Int64
	// known says that a call on the connection was authenticated.
	known atomic.Bool
	// held says that nothing more is read of it.
	held  atomic.Bool
	ahead ahead

	// These are guarded by of.mu.
	stranger  *longestqueue.Item[netip.Addr, *Conn]
	caller    string
	placeless bool
	due       *time.Timer // ends an anonymous connection

	once   sync.Once
	closed chan struct{}
}

// Call is what a [Conn] knows of one request. A server has one for each, and ends
// it. It is not safe for concurrent use.
type Call struct {
	conn   *Conn // nil: the request is on no connection of a Listener
	open   bool
	probes bool
}

// Call begins a request. It may be called on nil.
func (c *Conn) Call() Call { return Call{conn: c} }

// Authenticated says that the caller of the request is authenticated. Until its end
// the connection keeps its place. An error says that it has none, and that the call
// must not go on: [ErrNoPlace], or [net.ErrClosed] after it was taken. A second call
// does nothing.
func (r *Call) Authenticated(caller string) error {
	if r.conn == nil || r.open {
		return nil
	}
	err := r.conn.begin(caller)
	r.open = err == nil
	return err
}

// Probe says that the request is a health check, for which no credential is due.
func (r *Call) Probe() {
	if r.conn == nil || r.probes {
		return
	}
	r.probes = true
	r.conn.probe()
	r.conn.ahead.probe()
}

// End says that the request is over. A second call does nothing.
func (r *Call) End() {
	if r.probes {
		r.probes = false
		r.conn.ahead.probed()
	}
	if r.open {
		r.open = false
		r.conn.ended.Store(time.Now().UnixNano())
		r.conn.calls.Add(-1)
	}
}

// begin begins an authenticated call.
func (c *Conn) begin(caller string) error {
	if c.calls.Add(1) < 0 {
		return net.ErrClosed
	}
	if c.known.Load() {
		return nil
	}
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	if c.known.Load() { // Another call on the connection was before this one.
		return nil
	}
	if c.placeless || c.held.Load() {
		c.calls.Add(-1)
		return net.ErrClosed
	}
	if err := c.of.know(c, caller); err != nil {
		c.calls.Add(-1)
		return err
	}
	return nil
}

// probe lets the connection wait without a credential.
func (c *Conn) probe() {
	c.requests.Add(-1)
	if c.known.Load() {
		return
	}
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	if !c.held.Load() {
		c.due.Stop()
	}
}

// Ended counts a request that is over, of whatever kind. It holds an anonymous
// connection up that has made too many: they cost work, and no limit of a caller
// counts them. It does not matter whether their client waited for the answers
// (CVE-2023-44487).
func (c *Conn) Ended() {
	if c.known.Load() {
		return
	}
	c.ahead.end()
	if c.requests.Add(1) <= allowance || c.held.Load() {
		return
	}
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	if !c.known.Load() && !c.placeless && c.held.CompareAndSwap(false, true) {
		c.of.hold(c)
	}
}

// expire closes a connection that is still anonymous.
func (c *Conn) expire() {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	if c.known.Load() || c.placeless {
		return
	}
	why := late
	if c.held.Load() {
		why = heldUp
	}
	c.of.end(c, why)
}

// Read waits for the end where the connection is held up.
func (c *Conn) Read(p []byte) (int, error) {
	if c.held.Load() {
		<-c.closed
		return 0, net.ErrClosed
	}
	return c.Conn.Read(p)
}

// Close closes the connection, whose place is free then.
func (c *Conn) Close() error {
	c.of.mu.Lock()
	c.of.forget(c)
	c.of.mu.Unlock()
	return c.shut()
}

func (c *Conn) shut() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

func (c *Conn) kind() kind {
	if c.known.Load() {
		return authenticated
	}
	return anonymous
}
