package pace

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// team is a caller whose workers make calls of one flow. It counts what became of those
// that came back when they were told to.
type team struct {
	flow Flow
	late time.Duration
	// from is when all that is going to wait is there: who was told before could not be
	// told of it.
	from time.Time

	mu sync.Mutex
	// sent are the calls that were sent. Of those that came back, went were sent, again
	// were refused again, and overtaken were, after another worker's call had been sent
	// in the time: the place is the team's, and not the call's.
	sent, went, again, overtaken int
}

// call makes a call until it is sent, and comes back as it is told to.
func (w *team) call(ctx context.Context, p *Pacer, bucket string, patience time.Duration) error {
	for returned, before := false, 0; ; {
		attempt, cancel := context.WithTimeout(WithFlow(ctx, w.flow), patience)
		_, err := p.Wait(attempt, bucket)
		cancel()
		e, refused := errors.AsType[*Exhausted](err)
		before = w.note(returned, refused, err, before)
		if !refused {
			return err
		}
		returned = !time.Now().Before(w.from)
		time.Sleep(e.RetryAfter + w.late) //nolint:forbidigo // the time of the bubble
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// note counts the end of an attempt, and returns how many calls have been sent. before is
// how many had been when the call was refused.
func (w *team) note(returned, refused bool, err error, before int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case refused && returned && w.sent > before:
		w.overtaken++
	case refused && returned:
		w.again++
	case err == nil:
		w.sent++
		if returned {
			w.went++
		}
	}
	return w.sent
}

// rush is callers who want more than the bucket has, and revocations that come in between.
type rush struct {
	limit       Limit
	class       Class
	teams       int
	workers     int // of a team, each with a call at a time
	patience    int // in calls of the bucket
	late        time.Duration
	revoking    Class
	revocations int
}

// interval is the time between two calls of the bucket.
func (r rush) interval() time.Duration {
	return time.Duration(float64(time.Minute) / (r.limit.Calls - float64(r.limit.Burst) + 1))
}

// play lets the callers call for 90 minutes. Of the calls that came back when they were
// told, went were sent, and again were refused again.
func (r rush) play(t *testing.T) (went, again int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(t, Options{Organization: roomy, Default: r.limit, MintShare: 0.2})
		patience := time.Duration(r.patience) * r.interval()
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Minute)
		defer cancel()
		var all sync.WaitGroup
		callers := make([]*team, r.teams)
		for i := range callers {
			callers[i] = &team{flow: Flow{fmt.Sprint("team", i), r.class}, late: r.late, from: time.Now().Add(time.Minute + time.Second)}
			for range r.workers {
				all.Go(func() {
					for ctx.Err() == nil {
						_ = callers[i].call(ctx, p, "keys", patience) // It ends with ctx.
					}
				})
			}
		}
		time.Sleep(time.Minute) //nolint:forbidigo // the time of the bubble
		for range r.revocations {
			all.Go(func() { _, _ = p.Wait(as(ctx, "revoker", r.revoking), "keys") })
		}
		all.Wait()
		for _, caller := range callers {
			went, again = went+caller.went, again+caller.again
		}
	})
	return went, again
}

// check fails the test unless, of ten calls that came back when they were told, eight were
// sent then, and five where their callers have several at a time. In which order goroutines
// run is not drawn: a rate below the bound is measured over more calls, and not at all over
// a few.
func (r rush) check(t *testing.T, tb rapid.TB) {
	tb.Helper()
	least := 80
	if r.workers > 1 {
		least = 50
	}
	went, again := 0, 0
	for range 3 {
		sent, refused := r.play(t)
		went, again = went+sent, again+refused
		if went*100 >= (went+again)*least {
			return
		}
	}
	if total := went + again; total > 200 && went*100 < total*least {
		tb.Fatalf("of %d calls that came back as they were told %d were refused again", total, again)
	}
}

// TestARefusedCallThatObeysIsSent: whatever waits, of ten calls that are refused, come back
// when they were told and then have time for four calls of the bucket, eight are sent then,
// and five where their callers have several at a time. A call does not count after
// another one of its caller was sent meanwhile: that has had its place.
func TestARefusedCallThatObeysIsSent(t *testing.T) {
	// While urgent calls take the tokens, callers that are away are overtaken by those that
	// stayed, and are told times as if they were not.
	for name, r := range map[string]rush{
		"who is away while the turns move on":      {Limit{4, 3}, Interactive, 37, 1, 12, 13 * time.Second, Urgent, 24},
		"who is away, and has little time to wait": {Limit{4, 3}, Interactive, 39, 1, 4, time.Second, Urgent, 15},
	} {
		t.Run(name, func(t *testing.T) { r.check(t, t) })
	}
	t.Run("whatever waits", func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			r := rush{
				limit:       Limit{float64(rapid.IntRange(4, 30).Draw(rt, "calls")), rapid.IntRange(1, 3).Draw(rt, "burst")},
				teams:       rapid.IntRange(2, 40).Draw(rt, "teams"),
				workers:     rapid.IntRange(1, 3).Draw(rt, "workers"),
				revocations: rapid.IntRange(0, 60).Draw(rt, "revocations"),
				revoking:    rapid.SampledFrom([]Class{Urgent, Revocation}).Draw(rt, "revoking"),
				class:       rapid.SampledFrom([]Class{Mint, Interactive}).Draw(rt, "class"),
				patience:    rapid.IntRange(4, 12).Draw(rt, "patience"),
			}
			if r.workers == 1 { // Of several, one that is late finds its place taken by another.
				r.late = time.Duration(rapid.IntRange(0, 20).Draw(rt, "late")) * time.Second
			}
			r.check(t, rt)
		})
	})
}
