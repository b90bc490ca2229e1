package connguard_test

import (
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/connguard"
)

const (
	// requestsAhead and bytesAhead are how far an anonymous connection may be ahead.
	requestsAhead = 4
	probesAhead   = 8
	bytesAhead    = 64 << 10
)

// ahead opens a connection with as many requests under way as may be.
func ahead(t *testing.T) connected {
	t.Helper()
	c := newTable(t, 4, nil).connect(t, "192.0.2.1:1")
	for range requestsAhead {
		if err := c.Begin(); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// beginning begins one more request, and returns how that ended once it has.
func (c connected) beginning() func() (bool, error) {
	ended := make(chan error, 1)
	go func() { ended <- c.Begin() }()
	return func() (bool, error) {
		synctest.Wait()
		select {
		case err := <-ended:
			return true, err
		default:
			return false, nil
		}
	}
}

// TestRequestsAhead: a request of a stranger waits for an earlier one, for the
// authentication of one, or for the end of the connection.
func TestRequestsAhead(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		then func(*testing.T, connected)
		want error
	}{
		"one ends":             {func(_ *testing.T, c connected) { c.Ended() }, nil},
		"one is a probe":       {func(_ *testing.T, c connected) { call := c.Call(); call.Probe(); call.Probe() }, nil},
		"one is authenticated": {func(t *testing.T, c connected) { t.Helper(); c.call(t, "somebody").End() }, nil},
		"it is closed":         {func(_ *testing.T, c connected) { _ = c.Close() }, net.ErrClosed},
		"nothing happens":      {func(*testing.T, connected) { pass(firstCall) }, net.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := ahead(t)
				over := c.beginning()
				if ended, err := over(); ended {
					t.Fatalf("it did not wait: %v", err)
				}
				test.then(t, c)
				if ended, err := over(); !ended || !errors.Is(err, test.want) {
					t.Fatalf("it ended: %t, with %v", ended, err)
				}
				if test.want != nil {
					return
				}
				over = c.beginning()
				if ended, _ := over(); ended != c.Known() {
					t.Errorf("another one began: %t", ended)
				}
				_ = c.Close()
				synctest.Wait()
			})
		})
	}
}

// TestProbesEndOnce: a health check gives its place back once.
func TestProbesEndOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := ahead(t)
		call := c.Call()
		call.Probe()
		call.End()
		c.Ended()
		if ended, err := c.beginning()(); !ended || err != nil {
			t.Errorf("a request in the place of the probe began: %t, %v", ended, err)
		}
		over := c.beginning()
		if ended, _ := over(); ended {
			t.Error("so did a second one")
		}
	})
}

// TestProbesAhead: health checks are counted too, and each gives its place back.
func TestProbesAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newTable(t, 4, nil).connect(t, "192.0.2.1:1")
		for range 2 {
			probes := make([]connguard.Call, probesAhead)
			for i := range probes {
				if err := c.Begin(); err != nil {
					t.Fatal(err)
				}
				probes[i] = c.Call()
				probes[i].Probe()
			}
			over := c.beginning()
			if ended, err := over(); ended {
				t.Errorf("one more began: %v", err)
			}
			for i := range probes {
				probes[i].End()
				c.Ended()
			}
			if ended, err := over(); !ended || err != nil {
				t.Errorf("one after them began: %t, %v", ended, err)
			}
			c.Ended()
		}
	})
}

// TestBytesAhead: so much is read of a stranger with a request under way, as often as
// its requests have ended.
func TestBytesAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newTable(t, 4, nil).connect(t, "192.0.2.1:1")
		take := func(want int) {
			t.Helper()
			if got, err := c.Take(1 << 20); got != want || err != nil {
				t.Errorf("%d bytes, %v; want %d", got, err, want)
			}
		}
		for range 2 {
			take(1 << 20)
			if err := c.Begin(); err != nil {
				t.Fatal(err)
			}
			take(bytesAhead)
			ended := make(chan struct{})
			began := time.Now()
			go func() {
				defer close(ended)
				take(1 << 20)
			}()
			pass(time.Second)
			c.Ended()
			<-ended
			if waited := time.Since(began); waited != time.Second {
				t.Errorf("it waited for %s", waited)
			}
		}
		c.call(t, "somebody").End()
		for range 2 * requestsAhead {
			if err := c.Begin(); err != nil {
				t.Fatal(err)
			}
			take(1 << 20)
		}
	})
}

// TestHeldUpAhead: what a server has of a held connection already is not begun either.
func TestHeldUpAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newTable(t, 4, nil).connect(t, "192.0.2.1:1")
		for range 101 {
			c.Ended()
		}
		began := time.Now()
		if err := c.Begin(); !errors.Is(err, net.ErrClosed) || time.Since(began) != connguard.HeldUp {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}
