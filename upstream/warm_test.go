package upstream_test

import (
	"net"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/admin-gateway/admin-gateway/upstream"
)

// mute is a connection that can fall silent without being closed, as one does
// behind a firewall that has forgotten it.
type mute struct {
	net.Conn
	silent atomic.Bool
}

func (m *mute) Write(p []byte) (int, error) {
	if m.silent.Load() {
		return len(p), nil
	}
	return m.Conn.Write(p)
}

// TestDeadConnection: a connection that no longer answers pings is given up
// while it is idle, so that the next write has another one and is not lost.
func TestDeadConnection(t *testing.T) {
	t.Parallel()
	var connections atomic.Int32
	given := make(chan struct{}, 8)
	client := overTLS(t, func(conn net.Conn) {
		m := &mute{Conn: conn}
		first := connections.Add(1) == 1
		answerFrames(m, func(framer *http2.Framer, stream uint32) error {
			err := writeAnswer(framer, stream)
			m.silent.Store(first)
			return err
		})
		given <- struct{}{}
	}, func(c *upstream.Config) { c.PingAfter, c.PingTimeout = 20*time.Millisecond, 20*time.Millisecond })
	if _, err := getProject(t).do(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	select {
	case <-given:
	case <-t.Context().Done():
		t.Fatal("the dead connection was kept")
	case <-time.After(30 * time.Second):
		t.Fatal("the dead connection was kept")
	}
	if _, err := createProject(t).do(t.Context(), client); err != nil {
		t.Error(err)
	}
	if n := connections.Load(); n < 2 {
		t.Errorf("%d connections", n)
	}
}
