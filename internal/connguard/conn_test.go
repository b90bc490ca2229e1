package connguard_test

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/connguard"
)

// TestHeldUp: nothing more is read of an anonymous client that makes one request
// after the other, and its connection ends a while later. How fast its handlers are
// makes no difference.
func TestHeldUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newTable(t, 4, nil).connect(t, "192.0.2.1:1")
		for range 101 {
			c.Ended()
		}
		began := time.Now()
		if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, net.ErrClosed) || time.Since(began) != connguard.HeldUp {
			t.Errorf("read %d, %v after %s", n, err, time.Since(began))
		}
		c.gone(t)
		call := c.Call()
		if err := call.Authenticated("late"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a call after that: %v", err)
		}
	})
}

// TestNotHeldUp: an authenticated client, one with few requests, and one that makes
// health checks.
func TestNotHeldUp(t *testing.T) {
	t.Parallel()
	for name, use := range map[string]func(*testing.T, connected){
		"authenticated": func(t *testing.T, c connected) {
			t.Helper()
			call := c.call(t, "somebody")
			for range 1000 {
				c.Ended()
			}
			call.End()
		},
		"few": func(_ *testing.T, c connected) {
			for range 100 {
				c.Ended()
			}
		},
		"probe": func(_ *testing.T, c connected) {
			for range 1000 {
				call := c.Call()
				call.Probe()
				call.End()
				c.Ended()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newTable(t, 4, nil).connect(t, "192.0.2.1:1")
				use(t, c)
				pass(connguard.HeldUp + time.Second)
				if !c.open() {
					t.Error("it was held up")
				}
			})
		})
	}
}

// TestClosedWhileHeldUp: closing does not wait for the end.
func TestClosedWhileHeldUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newTable(t, 4, nil).connect(t, "192.0.2.1:1")
		for range 101 {
			c.Ended()
		}
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

// TestFewAreHeldUp: those that are held up for longest make room for others, each of which
// may hold megabytes of what its client has sent.
func TestFewAreHeldUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newTable(t, 100, nil)
		var all []connected
		for i := range 6 {
			c := l.connect(t, fmt.Sprintf("192.0.2.%d:1", i+1))
			for range 101 {
				c.Ended()
			}
			all = append(all, c)
		}
		synctest.Wait()
		for i, c := range all {
			if want := i >= 2; c.open() != want {
				t.Errorf("number %d is open: %t", i, !want)
			}
		}
		_ = all[2].Close() // One that goes by itself makes room, too.
		c := l.connect(t, "192.0.2.7:1")
		for range 101 {
			c.Ended()
		}
		synctest.Wait()
		if !all[3].open() || !c.open() {
			t.Error("one was closed for one that had gone")
		}
	})
}
