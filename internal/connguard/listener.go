package connguard

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/longestqueue"
	"github.com/admin-gateway/admin-gateway/internal/peernet"
)

// ErrNoPlace says that a caller may not have another connection with a call, or
// that nobody may: all places of authenticated callers have calls under way.
var ErrNoPlace = errors.New("no place is left for another connection with an authenticated call")

const (
	// fewest is the least number of places: one for strangers and one for a caller.
	fewest = 2
	// mostHeld is how many connections are held up at a time. What the client of each has
	// sent is in the system's buffers, and may be megabytes.
	mostHeld = 4
	// settling is how long after its last call a connection is not idle yet: the
	// server may still be writing the answer.
	settling = time.Second
)

// Options bound the connections of a [Listener].
type Options struct {
	// Places bounds the open connections; at least 2.
	Places int
	// FirstCall is how long a connection may take to its first authenticated call,
	// unless it makes a health check.
	FirstCall time.Duration
	// HeaderBytes is how large the header of a request may be: so much more is read of
	// an anonymous connection.
	HeaderBytes int
	// Counters count the connections; nil counts for nobody.
	Counters *Counters
}

// Listener is a listener that holds its connections to a number. It never makes
// clients wait to be accepted: a queue has an end, and a client that fills the
// places would fill the queue.
type Listener struct {
	net.Listener
	options Options
	// anonymous and known are the most connections of either kind. Known ones never
	// have all places, so a new connection always finds one of an anonymous one.
	anonymous, known int
	// share is the most connections of one caller.
	share int

	mu        sync.Mutex
	held      []*Conn // those that are held up, the oldest first
	strangers longestqueue.Queues[netip.Addr, *Conn]
	callers   map[string]map[*Conn]struct{}
	callersOf int // connections in callers
}

// NewListener makes a listener of l, which it closes.
func NewListener(l net.Listener, o Options) *Listener {
	o.Places = max(o.Places, fewest)
	known := o.Places - max(1, o.Places/4)
	return &Listener{
		Listener: l, options: o,
		anonymous: o.Places / 2, known: known, share: max(1, known/2),
		callers: make(map[string]map[*Conn]struct{}),
	}
}

// Accept waits for the next connection, which is a *[Conn].
func (l *Listener) Accept() (net.Conn, error) {
	c, err := l.AcceptConn()
	if err != nil {
		return nil, err
	}
	return c, nil
}

// AcceptConn waits for the next connection.
func (l *Listener) AcceptConn() (*Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.admit(accepted), nil
}

// admit gives a new connection a place, at the cost of an anonymous one where there
// are too many. The youngest is never the one.
func (l *Listener) admit(accepted net.Conn) *Conn {
	c := &Conn{Conn: accepted, of: l, closed: make(chan struct{})}
	c.ahead.wake, c.ahead.most = make(chan struct{}, 1), bytesAhead+l.options.HeaderBytes
	l.mu.Lock()
	defer l.mu.Unlock()
	c.stranger = l.strangers.Add(peernet.Of(accepted.RemoteAddr().String()), c)
	c.due = time.AfterFunc(l.options.FirstCall, c.expire)
	l.options.Counters.opened(anonymous)
	for l.strangers.Len() > l.anonymous || l.strangers.Len()+l.callersOf > l.options.Places {
		l.end(l.strangers.Longest().Value, replaced)
	}
	return c
}

// know gives an anonymous connection a place among those of authenticated callers;
// l.mu is held.
func (l *Listener) know(c *Conn, caller string) error {
	if own := len(l.callers[caller]) >= l.share; own || l.callersOf >= l.known {
		only := caller
		if !own {
			only = anyCaller
		}
		victim := l.claimIdle(only)
		if victim == nil {
			l.options.Counters.refused()
			return ErrNoPlace
		}
		l.end(victim, replaced)
	}
	l.strangers.Remove(c.stranger)
	if l.callers[caller] == nil {
		l.callers[caller] = make(map[*Conn]struct{})
	}
	l.callers[caller][c] = struct{}{}
	l.callersOf++
	c.caller = caller
	c.known.Store(true)
	c.ahead.signal()
	c.due.Stop()
	l.options.Counters.moved()
	return nil
}

// anyCaller is no caller's name.
const anyCaller = ""

// claimIdle returns a connection on which no call begins any more: of one caller, or
// of the caller that has the most of those that have an idle one. Nil: all have
// calls. It looks at all connections of callers, each time that one of them
// authenticates and there is no place; l.mu is held.
func (l *Listener) claimIdle(only string) *Conn {
	for {
		found := idlest(l.callers[only])
		most := 0
		for _, conns := range l.callers {
			if only == anyCaller && len(conns) > most {
				if idle := idlest(conns); idle != nil {
					found, most = idle, len(conns)
				}
			}
		}
		if found == nil || found.calls.CompareAndSwap(0, gone) {
			return found
		}
		// A call has begun on it just now.
	}
}

// idlest is the connection that has been idle for the longest time; nil when none is
// idle.
func idlest(conns map[*Conn]struct{}) *Conn {
	var found *Conn
	latest := time.Now().Add(-settling).UnixNano()
	for c := range conns {
		if ended := c.ended.Load(); c.calls.Load() == 0 && ended <= latest {
			found, latest = c, ended
		}
	}
	return found
}

// end takes the place of a connection and closes it; l.mu is held.
func (l *Listener) end(c *Conn, why reason) {
	c.calls.Store(gone)
	if l.forget(c) {
		l.options.Counters.ended(c.kind(), why)
	}
	_ = c.shut() // The server notices.
}

// hold keeps a connection from closing at once. Another one that is held up gives way,
// where there are too many; l.mu is held.
func (l *Listener) hold(c *Conn) {
	c.due.Reset(HeldUp)
	if l.held = append(l.held, c); len(l.held) > mostHeld {
		l.end(l.held[0], heldUp)
	}
}

// forget takes the place of a connection, and returns whether it had one; l.mu is
// held.
func (l *Listener) forget(c *Conn) bool {
	if c.placeless {
		return false
	}
	c.placeless = true
	c.due.Stop()
	if c.held.Load() {
		l.held = slices.DeleteFunc(l.held, func(other *Conn) bool { return other == c })
	}
	l.options.Counters.closed(c.kind())
	if !c.known.Load() {
		l.strangers.Remove(c.stranger)
		return true
	}
	conns := l.callers[c.caller]
	delete(conns, c)
	l.callersOf--
	if len(conns) == 0 {
		delete(l.callers, c.caller)
	}
	return true
}
