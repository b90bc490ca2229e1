package build

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/service/callers"
)

// TestLifecycleEndsInOrder: doors stop before the work without callers, and that before
// the background. A failure stops all of them without a delay.
func TestLifecycleEndsInOrder(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		door, work, background error // nil: the component runs until it is stopped
	}{"signal": {}, "a door fails": {door: broken}, "the work fails": {work: broken}, "the background fails": {background: broken}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			events := make(chan string, 8)
			part := func(what string, fails error) runner {
				return runFunc(func(ctx context.Context) error {
					if fails != nil {
						return fails
					}
					<-ctx.Done()
					events <- what
					return nil
				})
			}
			r := newReadiness(keyFunc(func() error { return nil }), policyOf{new(callers.Set)}, func() string { return "" }, func() (string, bool) { return "", false })
			l := lifecycle{
				ready: r, logger: slog.New(slog.DiscardHandler), running: new(atomic.Int64), leave: func() { events <- "leave" }, closing: func(time.Time) {},
				doors:      []runner{part("door/0", test.door), part("door/1", nil)},
				work:       []runner{part("work/0", test.work)},
				background: []runner{part("background/0", test.background), part("background/1", nil)},
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			want := "leave door/0 door/1 work/0 background/0 background/1"
			switch {
			case test.door != nil:
				l.delay, want = time.Hour, "leave door/1 work/0 background/0 background/1"
			case test.work != nil:
				l.delay, want = time.Hour, "leave door/0 door/1 background/0 background/1"
			case test.background != nil:
				l.delay, want = time.Hour, "" // The rest of it may end before or after.
			default:
				cancel()
			}
			err := l.run(ctx)
			close(events)
			var order []string
			for e := range events {
				order = append(order, e)
			}
			inTurn(order)
			// A failed door stops the other one.
			if got := strings.Join(order, " "); want != "" && got != want && got != "door/1 leave work/0 background/0 background/1" {
				t.Errorf("ended in the order %q, want %q", got, want)
			}
			if failed := test.door != nil || test.work != nil || test.background != nil; failed != errors.Is(err, broken) || !failed && err != nil {
				t.Errorf("ended with %v", err)
			}
			if r.look(t.Context()).Ready {
				t.Error("it says that it is ready")
			}
		})
	}
}

// runFunc is a component of one function.
type runFunc func(ctx context.Context) error

// Run calls it.
func (f runFunc) Run(ctx context.Context) error { return f(ctx) }

// inTurn sorts neighbours of one kind: they end in any order.
func inTurn(order []string) {
	kind := func(s string) string { return strings.TrimRight(s, "/01") }
	for i := range len(order) - 1 {
		if kind(order[i]) == kind(order[i+1]) && order[i] > order[i+1] {
			order[i], order[i+1] = order[i+1], order[i]
		}
	}
}
