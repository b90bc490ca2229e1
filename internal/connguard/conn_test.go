package connguard_test

import (
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/connguard"
)

// pair is a watched connection and its client's end.
func pair(t *testing.T) (*connguard.Conn, net.Conn) {
	t.Helper()
	server, client := net.Pipe()
	c := connguard.NewConn(server)
	t.Cleanup(func() { _, _ = c.Close(), client.Close() })
	return c, client
}

// cancelRequests ends so many requests at once, of which so many are
// canceled.
func cancelRequests(c *connguard.Conn, requests, back int) {
	for i := range requests {
		c.Ended(time.Now(), i < back)
	}
}

// TestHeldUp: nothing more is read of a client that cancels most of its requests,
// and the connection ends a while later.
func TestHeldUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, client := pair(t)
		cancelRequests(c, 20, 11)
		began := time.Now()
		if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, net.ErrClosed) || time.Since(began) != connguard.HeldUp {
			t.Errorf("read %d, %v after %s", n, err, time.Since(began))
		}
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the client: %v", err)
		}
	})
}

// TestNotHeldUp: a trusted client, one that cancels no more than half, one that
// waited for a while before, and one with few requests.
func TestNotHeldUp(t *testing.T) {
	t.Parallel()
	for name, use := range map[string]func(*connguard.Conn){
		"trusted": func(c *connguard.Conn) { c.Trust(); cancelRequests(c, 1000, 1000) },
		"half":    func(c *connguard.Conn) { cancelRequests(c, 1000, 0); cancelRequests(c, 1000, 1000) },
		"few":     func(c *connguard.Conn) { cancelRequests(c, 19, 19) },
		"patient": func(c *connguard.Conn) {
			for range 100 {
				c.Ended(time.Now().Add(-time.Second), true)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, client := pair(t)
			use(c)
			go func() { _, _ = client.Write([]byte("x")) }()
			if n, err := c.Read(make([]byte, 1)); n != 1 || err != nil {
				t.Errorf("read %d, %v", n, err)
			}
		})
	}
}

// TestClosedWhileHeldUp: closing does not wait for the end.
func TestClosedWhileHeldUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := pair(t)
		cancelRequests(c, 20, 20)
		ended := make(chan error, 1)
		go func() {
			_, err := c.Read(make([]byte, 1))
			ended <- err
		}()
		synctest.Wait()
		began := time.Now()
		if err := errors.Join(c.Close(), c.Close()); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, net.ErrClosed) || time.Since(began) != 0 {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}
