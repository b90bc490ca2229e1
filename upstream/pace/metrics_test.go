package pace

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// notes are Metrics that record their calls.
type notes struct {
	mu    sync.Mutex
	calls []string
}

func (n *notes) add(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.calls = append(n.calls, fmt.Sprintf(format, args...))
}

// Granted implements [Metrics].
func (n *notes) Granted(bucket string, class Class, waited time.Duration) {
	n.add("granted %s %s %s", bucket, class, waited.Round(time.Second))
}

// Exhausted implements [Metrics].
func (n *notes) Exhausted(bucket string, class Class, reason Reason) {
	n.add("exhausted %s %s %s", bucket, class, reason)
}

// Left implements [Metrics].
func (n *notes) Left(bucket string, class Class) { n.add("left %s %s", bucket, class) }

// Demoted implements [Metrics].
func (n *notes) Demoted(bucket string) { n.add("demoted %s", bucket) }

// Limited implements [Metrics].
func (n *notes) Limited(bucket string, lowered bool) { n.add("limited %s %t", bucket, lowered) }

// Shared implements [Metrics].
func (n *notes) Shared(available bool) { n.add("shared %t", available) }

func TestMetricsAreCalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var recorded notes
		var up atomic.Bool
		up.Store(true)
		shared := &fakeShared{take: func(Ask) (Answer, error) {
			if !up.Load() {
				return Answer{}, ErrUnavailable
			}
			return Answer{Granted: true}, nil
		}}
		p := newPacer(t, Options{Shared: shared, Organization: roomy, Default: Limit{6, 1}, Share: 0.5, Metrics: &recorded})
		grant := drain(t, p, "b")
		up.Store(false)
		ctx, cancel := context.WithCancel(as(t.Context(), "f", FanOut))
		s := newScript(t)
		s.wait(ctx, p, "b", "f")
		cancel()
		<-s.results
		drain(t, p, "b")
		p.Limited(t.Context(), grant, time.Minute)
		short, cancel := context.WithTimeout(as(t.Context(), "r", Revocation), time.Second)
		defer cancel()
		if _, err := p.Wait(short, "b"); err == nil {
			t.Error("no error")
		}
		up.Store(true)
		time.Sleep(2 * time.Minute) //nolint:forbidigo // the time of the bubble
		drain(t, p, "b")
		want := []string{
			"granted b interactive 0s", "shared false", "left b fan_out", "granted b interactive 21s",
			"limited b false", "exhausted b revocation too_late", "shared true", "granted b interactive 0s",
		}
		if !slices.Equal(recorded.calls, want) {
			t.Errorf("got %q\nwant %q", recorded.calls, want)
		}
	})
}
