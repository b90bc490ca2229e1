package lazyctx_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/admin-gateway/admin-gateway/internal/lazyctx"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type key struct{}

// pair is a lazy context and one of package context that have the same life.
type pair struct {
	lazy lazyctx.Context
	std  context.Context
	end  func(error)
}

func newPair(parent context.Context, deadline time.Time) *pair {
	p := new(pair)
	p.lazy.Begin(parent, deadline)
	std, end := context.WithCancelCause(parent)
	release := func() {}
	if !deadline.IsZero() {
		std, release = context.WithDeadline(std, deadline)
	}
	p.std, p.end = std, func(cause error) { end(cause); release() }
	return p
}

// differs compares all that can be asked of both.
func (p *pair) differs(when string) error {
	if got, want := p.lazy.Err(), p.std.Err(); got != want { //nolint:errorlint // They are the sentinels.
		return fmt.Errorf("%s: %v, want %v", when, got, want) //nolint:errorlint // It says what differs, and is none of both.
	}
	if got, want := context.Cause(&p.lazy), context.Cause(p.std); got != want { //nolint:errorlint // As above.
		return fmt.Errorf("%s: cause %v, want %v", when, got, want) //nolint:errorlint // As above.
	}
	gotDeadline, got := p.lazy.Deadline()
	wantDeadline, want := p.std.Deadline()
	if got != want || !gotDeadline.Equal(wantDeadline) {
		return fmt.Errorf("%s: deadline %v, want %v", when, gotDeadline, wantDeadline)
	}
	if p.lazy.Value(key{}) != "value" {
		return fmt.Errorf("%s: the value is lost", when)
	}
	return nil
}

// TestLikeThoseOfThePackage: whatever happens in which order, and whether or not anybody
// waits, a lazy context says what one of package context says, as long as it is asked of
// one thing before the next happens.
func TestLikeThoseOfThePackage(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		seconds := func(name string) time.Duration {
			return time.Duration(rapid.IntRange(-1, 5).Draw(rt, name)) * time.Second
		}
		steps := rapid.SliceOfN(rapid.SampledFrom([]string{"wait", "child", "after", "end", "end with a cause", "parent", "parent with a cause", "sleep"}), 0, 6).Draw(rt, "steps")
		ofParent, own := seconds("deadline of the parent"), seconds("deadline")
		var found error
		synctest.Test(t, func(t *testing.T) { found = play(t, ofParent, own, steps) })
		if found != nil {
			rt.Fatal(found)
		}
	})
}

// play takes the steps, and returns the first difference. The deadlines are times from
// now on; a negative one is none.
func play(t *testing.T, ofParent, own time.Duration, steps []string) error {
	t.Helper()
	cause := errors.New("cause")
	ctx, cancel := context.WithCancelCause(context.WithValue(t.Context(), key{}, "value"))
	defer cancel(nil)
	if ofParent >= 0 {
		var release context.CancelFunc
		ctx, release = context.WithDeadline(ctx, time.Now().Add(ofParent))
		defer release()
	}
	var deadline time.Time
	if own >= 0 {
		deadline = time.Now().Add(own)
	}
	p := newPair(ctx, deadline)
	defer p.end(nil)
	defer p.lazy.End(nil)
	var fell sync.WaitGroup
	if err := p.differs("at the beginning"); err != nil {
		return err
	}
	for _, step := range steps {
		switch step {
		case "wait":
			_ = p.lazy.Done()
		case "child":
			_, release := context.WithCancel(&p.lazy)
			defer release()
		case "after":
			fell.Add(1)
			context.AfterFunc(&p.lazy, fell.Done)
		case "end":
			p.lazy.End(nil)
			p.end(nil)
		case "end with a cause":
			p.lazy.End(cause)
			p.end(cause)
		case "parent":
			cancel(nil)
		case "parent with a cause":
			cancel(cause)
		case "sleep":
			time.Sleep(1500 * time.Millisecond) //nolint:forbidigo // the time of the bubble
		}
		synctest.Wait()
		if err := p.differs(step); err != nil {
			return err
		}
	}
	p.lazy.End(nil)
	p.end(nil)
	<-p.lazy.Done()
	fell.Wait()
	return p.differs("the end")
}

// TestApart: a parent that is canceled at its deadline, as grpc-go does, leaves a context
// that is exceeded, and one that is canceled before leaves one that is canceled.
func TestApart(t *testing.T) {
	t.Parallel()
	for _, waits := range []bool{false, true} {
		for name, test := range map[string]struct {
			after time.Duration
			want  error
		}{"before": {time.Second, context.Canceled}, "then": {2 * time.Second, context.DeadlineExceeded}} {
			synctest.Test(t, func(t *testing.T) {
				base, cancel := context.WithCancel(t.Context())
				defer cancel()
				var c lazyctx.Context
				c.BeginApart(noticesLate{base, time.Now().Add(2 * time.Second)})
				defer c.End(nil)
				if waits {
					_ = c.Done()
				}
				time.Sleep(test.after) //nolint:forbidigo // the time of the bubble
				cancel()
				synctest.Wait()
				if err := c.Err(); !errors.Is(err, test.want) {
					t.Errorf("canceled %s, waited for %t: %v", name, waits, err)
				}
				<-c.Done()
				if err := c.Err(); !errors.Is(err, test.want) {
					t.Errorf("canceled %s, waited for %t, later: %v", name, waits, err)
				}
			})
		}
	}
}

// noticesLate is a context with a deadline that it leaves to others.
type noticesLate struct {
	context.Context
	deadline time.Time
}

func (n noticesLate) Deadline() (time.Time, bool) { return n.deadline, true }

// BenchmarkCall is what the contexts of a call cost that nobody waits for: two that end,
// one of them with a deadline.
func BenchmarkCall(b *testing.B) {
	parent, cancel := context.WithCancel(b.Context())
	defer cancel()
	deadline := time.Now().Add(time.Hour)
	b.Run("lazy", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			bound, held := new(lazyctx.Context), new(lazyctx.Context)
			bound.Begin(parent, deadline)
			held.Begin(bound, time.Time{}) //nolint:contextcheck // bound is made of parent.
			if held.Err() != nil {
				b.Fatal("it has ended")
			}
			held.End(nil)
			bound.End(nil)
		}
	})
	b.Run("context", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			bound, release := context.WithDeadline(parent, deadline)
			held, end := context.WithCancelCause(bound)
			if held.Err() != nil {
				b.Fatal("it has ended")
			}
			end(nil)
			release()
		}
	})
}
