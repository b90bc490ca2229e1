package redisclient

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// replyError is an error that Redis replied.
type replyError string

func (e replyError) Error() string { return string(e) }
func (replyError) RedisError()     {}

var errLost = errors.New("connection lost")

func fail(err error) func(context.Context) error {
	return func(context.Context) error { return err }
}

// take returns a call that succeeds after d.
func take(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func TestGuardBoundsACall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for timeout, want := range map[time.Duration]time.Duration{0: DefaultCallTimeout, -1: DefaultCallTimeout, time.Second: time.Second} {
			g := NewGuard(GuardOptions{CallTimeout: timeout})
			began := time.Now()
			if err := g.Call(t.Context(), take(time.Hour)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("timeout %v: %v", timeout, err)
			}
			if took := time.Since(began); took != want {
				t.Errorf("timeout %v: the call took %v, want %v", timeout, took, want)
			}
		}
	})
}

// TestGuardKeepsTheCallersDeadline: it ends a call before the guard's own, and the values
// of the caller are there.
func TestGuardKeepsTheCallersDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "value"), time.Millisecond)
		defer cancel()
		g, began := NewGuard(GuardOptions{}), time.Now()
		err := g.Call(ctx, func(ctx context.Context) error {
			if ctx.Value(key{}) != "value" {
				t.Error("the values are lost")
			}
			return take(time.Hour)(ctx)
		})
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != time.Millisecond {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

func TestGuardOpensAfterFailuresInARow(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		options GuardOptions
		call    func(context.Context) error
		opens   bool
	}{
		"errors":           {GuardOptions{}, fail(errLost), true},
		"timeouts":         {GuardOptions{}, take(time.Hour), true},
		"slow":             {GuardOptions{}, take(9 * time.Millisecond), true},
		"not slow":         {GuardOptions{}, take(7 * time.Millisecond), false},
		"slow by option":   {GuardOptions{SlowCall: time.Millisecond}, take(2 * time.Millisecond), true},
		"full":             {GuardOptions{}, fail(replyError("OOM command not allowed")), false},
		"loading":          {GuardOptions{}, fail(replyError("LOADING the data")), true},
		"slow by no means": {GuardOptions{SlowCall: NeverSlow}, take(39 * time.Millisecond), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := NewGuard(test.options)
				for range breakerFailures - 1 {
					_ = g.Call(t.Context(), test.call)
				}
				if !g.Available() {
					t.Error("open too early")
				}
				_ = g.Call(t.Context(), fail(nil)) // A success in between counts from anew.
				for range breakerFailures {
					_ = g.Call(t.Context(), test.call)
				}
				if g.Available() == test.opens {
					t.Fatalf("available: %v", g.Available())
				}
				if !test.opens {
					return
				}
				asked := func(context.Context) error { t.Error("asked while open"); return nil }
				if err := g.Call(t.Context(), asked); !errors.Is(err, ErrOpen) {
					t.Errorf("while open: %v", err)
				}
				<-time.After(defaultBreakerPause + 1)
				if err := g.Call(t.Context(), fail(nil)); err != nil || !g.Available() {
					t.Errorf("the probe: %v, available %v", err, g.Available())
				}
			})
		})
	}
}

func TestGuardIgnoresCallersThatLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewGuard(GuardOptions{})
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		for range 2 * breakerFailures {
			if err := g.Call(ended, func(context.Context) error { t.Error("asked for nobody"); return nil }); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
		for range 2 * breakerFailures {
			leaving, leave := context.WithCancel(t.Context())
			if err := g.Call(leaving, func(context.Context) error { leave(); return errLost }); !errors.Is(err, context.Canceled) || errors.Is(err, errLost) {
				t.Fatal(err)
			}
		}
		// A connection notices the deadline before the context does.
		late, cancel := context.WithDeadline(t.Context(), time.Now().Add(time.Millisecond))
		defer cancel()
		early := func(context.Context) error { <-late.Done(); return errLost }
		if err := g.Call(late, early); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if !g.Available() {
			t.Error("callers that left opened the breaker")
		}
	})
}

func TestGuardScrubsReplies(t *testing.T) {
	t.Parallel()
	g := NewGuard(GuardOptions{})
	err := g.Call(t.Context(), fail(replyError("NOPERM no permission for key gw:secret")))
	if err == nil || !strings.Contains(err.Error(), "NOPERM") || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
	if err := g.Call(t.Context(), fail(errLost)); !errors.Is(err, errLost) {
		t.Errorf("an error that is no reply: %v", err)
	}
}

func TestKeyPrefix(t *testing.T) {
	t.Parallel()
	if got := KeyPrefix("gw", "org_1"); got != "gw:{org_1}:" {
		t.Error(got)
	}
}
