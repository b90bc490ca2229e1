package httpdoor

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/bursts"
	"github.com/admin-gateway/admin-gateway/internal/connguard"
)

// conns is a listener whose connections have an age, and that knows which of them
// have had a request. Their number is the business of connguard.
//
// It makes connections secure itself. net/http would read the frames of HTTP/2 from a
// tls.Conn and from nothing else, where nobody could see them; as it is, they come by the
// same way as those in the clear.
type conns struct {
	*connguard.Listener
	age time.Duration
	// secure protects the connections; nil: they are in the clear.
	secure *tls.Config
	// slack is by how much a deadline of a connection may be early.
	slack time.Duration

	mu      sync.Mutex
	open    map[*conn]struct{}
	leaving atomic.Bool
	once    sync.Once
	left    chan struct{} // closed once every connection that is open when it leaves has had a request
}

func newConns(l *connguard.Listener, o Options) *conns {
	return &conns{
		Listener: l, age: o.MaxConnectionAge, secure: o.TLS, slack: o.slack(),
		open: make(map[*conn]struct{}), left: make(chan struct{}),
	}
}

// Accept waits for the next connection.
func (s *conns) Accept() (net.Conn, error) {
	accepted, err := s.AcceptConn()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: accepted, guard: accepted, of: s, deadlines: deadlines{slack: s.slack}, old: time.Now().Add(s.age - s.age/10 + rand.N(s.age/5+1))} //nolint:gosec // So that not all are old at once; it protects nothing.
	if s.secure != nil {
		c.secure = &secureConn{Conn: tls.Server(accepted, s.secure)}
		c.Conn = c.secure
	}
	c.frames = frames{from: c.Conn, guard: accepted}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[c] = struct{}{}
	return c, nil
}

// leave closes the listener, and gives the connections without a request so far
// some time to send one: a request may be on its way, and an http.Server that
// shuts down would read it and not answer. Then it closes those that are left,
// for which it would wait.
func (s *conns) leave(within time.Duration) error {
	err := s.Close()
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
			_ = c.guard.Close() // Nothing was sent on it.
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
	net.Conn  // guard, or secure
	guard     *connguard.Conn
	secure    *secureConn // nil: it is in the clear
	frames    frames
	deadlines deadlines
	of        *conns
	old       time.Time   // when it is
	asked     atomic.Bool // whether it has had a request
}

// Read reads what the client has sent, as far as the connection may be ahead, until its
// deadline.
func (c *conn) Read(p []byte) (int, error) {
	if err := c.deadlines.begin(c.Conn); err != nil {
		return 0, err
	}
	defer c.deadlines.end()
	return c.frames.Read(p)
}

// Write writes an answer, those of a moment together.
func (c *conn) Write(p []byte) (int, error) { return bursts.Write(c.Conn, p) }

// SetReadDeadline implements [net.Conn].
func (c *conn) SetReadDeadline(t time.Time) error {
	return c.deadlines.setRead(c.Conn, c.guard.Known(), t)
}

// SetWriteDeadline implements [net.Conn].
func (c *conn) SetWriteDeadline(t time.Time) error {
	return c.deadlines.setWrite(c.Conn, c.guard.Known(), t)
}

// SetDeadline implements [net.Conn].
func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// tls is the state of a connection of which something was read; nil: it is in the clear.
func (c *conn) tls() *tls.ConnectionState {
	if c.secure == nil {
		return nil
	}
	return c.secure.state
}

// Close closes the connection.
func (c *conn) Close() error {
	c.of.forget(c)
	return c.Conn.Close()
}

func (c *conn) begin() {
	if !c.asked.Swap(true) && c.of.leaving.Load() {
		c.of.mu.Lock()
		defer c.of.mu.Unlock()
		c.of.noticeLeft()
	}
}

type connKey struct{}

// withConn is an http.Server's ConnContext.
func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}
