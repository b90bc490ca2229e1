package httpdoor

import (
	"context"
	"crypto/tls"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// conns is a listener that holds its connections to a number. It never makes
// clients wait to be accepted: a queue has an end, and who fills the places would
// fill the queue.
type conns struct {
	net.Listener
	most int
	age  time.Duration

	mu      sync.Mutex
	open    map[*conn]struct{}
	closing bool
	// left is closed once, on a port that closes, nobody has to be given time.
	left chan struct{}
}

func newConns(l net.Listener, most int, age time.Duration) *conns {
	return &conns{Listener: l, most: most, age: age, open: make(map[*conn]struct{}), left: make(chan struct{})}
}

// Accept waits for the next connection for which there is a place.
func (s *conns) Accept() (net.Conn, error) {
	for {
		accepted, err := s.Listener.Accept()
		if err != nil {
			s.linger()
			return nil, err
		}
		now := time.Now()
		c := &conn{Conn: accepted, of: s, old: now.Add(s.age - s.age/10 + rand.N(s.age/5+1))} //nolint:gosec // It spreads, and hides nothing.
		c.quiet.Store(now.UnixNano())
		if s.admit(c) {
			return c, nil
		}
		_ = accepted.Close() // Nothing was said on it.
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
		// Whoever serves it notices; it has no request that could be lost.
		_ = quietest.Conn.Close()
	}
	s.open[c] = struct{}{}
	return true
}

// quietest is the connection that has had no request for the longest time; nil
// when all have one. It looks at all of them, once a connection is accepted that
// there is no place for.
func (s *conns) quietest() *conn {
	var found *conn
	for c := range s.open {
		if c.requests.Load() == 0 && (found == nil || c.quiet.Load() < found.quiet.Load()) {
			found = c
		}
	}
	return found
}

// close is told that the port is about to be closed.
func (s *conns) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing = true
	s.noticeLeft()
}

// linger gives clients the time to leave. http.Server.Shutdown first says GOAWAY
// on HTTP/2 connections, then waits for Accept to return, and then cuts those off
// that are idle: without a pause also in the middle of a request that is on its
// way, of which nobody could say whether it was heard. Who has not asked anything
// by the end of the pause is nobody who has a call in flight, and Shutdown would
// wait for it.
func (s *conns) linger() {
	s.mu.Lock()
	closing := s.closing
	s.mu.Unlock()
	if !closing {
		return
	}
	most := time.NewTimer(lingerMost)
	defer most.Stop()
	select {
	case <-s.left:
	case <-most.C:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		if !c.asked.Load() {
			delete(s.open, c)
			_ = c.Conn.Close() // Nobody has heard anything on it.
		}
	}
}

// lingerMost is what net/http gives a client that was told to go.
const lingerMost = time.Second

// noticeLeft looks whether anybody is there whom the pause is for; s.mu is held.
func (s *conns) noticeLeft() {
	for c := range s.open {
		if c.http2.Load() || !c.asked.Load() {
			return
		}
	}
	select {
	case <-s.left:
	default:
		close(s.left)
	}
}

func (s *conns) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
	if s.closing {
		s.noticeLeft()
	}
}

// conn is a connection of conns.
type conn struct {
	net.Conn
	of  *conns
	old time.Time // when it is

	requests atomic.Int64 // now
	asked    atomic.Bool  // ever
	http2    atomic.Bool
	quiet    atomic.Int64 // since when there is none, Unix nanoseconds
}

// Close closes the connection.
func (c *conn) Close() error {
	c.of.forget(c)
	return c.Conn.Close()
}

func (c *conn) begin(version int) {
	c.requests.Add(1)
	c.http2.Store(version == 2)
	c.asked.Store(true)
}

func (c *conn) end() {
	c.quiet.Store(time.Now().UnixNano())
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
