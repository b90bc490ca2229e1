package httpdoor

import (
	"context"
	"crypto/tls"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/connguard"
)

// conns is a listener that holds its connections to a number. It never makes
// clients wait to be accepted: a queue has an end, and a client that fills the
// places would fill the queue.
type conns struct {
	net.Listener
	most int
	age  time.Duration

	mu      sync.Mutex
	open    map[*conn]struct{}
	leaving atomic.Bool
	once    sync.Once
	left    chan struct{} // closed once every connection that is open when it leaves has had a request
}

func newConns(l net.Listener, most int, age time.Duration) *conns {
	return &conns{Listener: l, most: most, age: age, open: make(map[*conn]struct{}), left: make(chan struct{})}
}

// Accept waits for the next connection for which there is a place.
func (s *conns) Accept() (net.Conn, error) {
	for {
		accepted, err := s.Listener.Accept()
		if err != nil {
			return nil, err
		}
		now := time.Now()
		c := &conn{Conn: connguard.NewConn(accepted), of: s, old: now.Add(s.age - s.age/10 + rand.N(s.age/5+1))} //nolint:gosec // So that not all are old at once; it protects nothing.
		c.quiet.Store(now.UnixNano())
		if s.admit(c) {
			return c, nil
		}
		_ = accepted.Close() // Nothing was sent on it.
	}
}

func (s *conns) admit(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) >= s.most {
		quietest := s.quietest()
		if quietest == nil {
			return false
		}
		delete(s.open, quietest)
		// The server notices; it has no request that could be lost.
		_ = quietest.Conn.Close()
	}
	s.open[c] = struct{}{}
	return true
}

// quietest is the connection that has had no request for the longest time; nil
// when all have one. Connections that are not trusted go first. It looks at all
// connections, each time that there is no place for a new one.
func (s *conns) quietest() *conn {
	var found *conn
	for c := range s.open {
		if c.requests.Load() == 0 && (found == nil || c.goesBefore(found)) {
			found = c
		}
	}
	return found
}

func (c *conn) goesBefore(other *conn) bool {
	if mine, theirs := c.Trusted(), other.Trusted(); mine != theirs {
		return theirs
	}
	return c.quiet.Load() < other.quiet.Load()
}

// leave closes the listener, and gives the connections without a request so far
// some time to send one: a request may be on its way, and an http.Server that
// shuts down would read it and not answer. Then it closes those that are left,
// for which it would wait.
func (s *conns) leave(within time.Duration) error {
	err := s.Listener.Close()
	s.mu.Lock()
	s.leaving.Store(true)
	s.noticeLeft()
	s.mu.Unlock()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-s.left:
	case <-timer.C:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		if !c.asked.Load() {
			delete(s.open, c)
			_ = c.Conn.Close() // Nothing was sent on it.
		}
	}
	return err
}

// noticeLeft checks whether a connection is still waited for; s.mu is held.
func (s *conns) noticeLeft() {
	for c := range s.open {
		if !c.asked.Load() {
			return
		}
	}
	s.once.Do(func() { close(s.left) })
}

func (s *conns) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
	if s.leaving.Load() {
		s.noticeLeft()
	}
}

// conn is a connection of conns.
type conn struct {
	*connguard.Conn
	of  *conns
	old time.Time // when it is

	requests atomic.Int64 // now
	asked    atomic.Bool  // ever
	// quiet is since when there is none, in Unix nanoseconds; for a connection that
	// is not trusted, since it was accepted.
	quiet atomic.Int64
}

// Close closes the connection.
func (c *conn) Close() error {
	c.of.forget(c)
	return c.Conn.Close()
}

func (c *conn) begin() {
	c.requests.Add(1)
	if !c.asked.Swap(true) && c.of.leaving.Load() {
		c.of.mu.Lock()
		defer c.of.mu.Unlock()
		c.of.noticeLeft()
	}
}

func (c *conn) end() {
	// A request does not make a connection that is not trusted younger: it would
	// outlive one whose caller is about to authenticate.
	if c.Trusted() {
		c.quiet.Store(time.Now().UnixNano())
	}
	c.requests.Add(-1)
}

type connKey struct{}

// withConn is an http.Server's ConnContext.
func withConn(ctx context.Context, c net.Conn) context.Context {
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	return context.WithValue(ctx, connKey{}, c)
}
