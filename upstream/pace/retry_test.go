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

// obedient is a caller that comes back when it was told to. It returns how often it had
// to: 0 if its call went at once.
func obedient(ctx context.Context, p *Pacer, flow Flow, bucket string, patience, late time.Duration) (refusals int, err error) {
	for {
		attempt, cancel := context.WithTimeout(WithFlow(ctx, flow), patience)
		_, err := p.Wait(attempt, bucket)
		cancel()
		e, refused := errors.AsType[*Exhausted](err)
		if !refused {
			return refusals, err
		}
		refusals++
		time.Sleep(e.RetryAfter + late) //nolint:forbidigo // the time of the bubble
		if ctx.Err() != nil {
			return refusals, ctx.Err()
		}
	}
}

// TestARefusedCallThatObeysIsSent: whatever waits, of ten calls that are refused, come back
// when they were told and then have time for four calls of the bucket, eight are sent then,
// and five where their callers have several at a time.
func TestARefusedCallThatObeysIsSent(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		options := Options{
			Organization: roomy, Default: Limit{float64(rapid.IntRange(4, 30).Draw(rt, "calls")), rapid.IntRange(1, 3).Draw(rt, "burst")},
			MintShare: 0.2,
		}
		teams := rapid.IntRange(2, 40).Draw(rt, "teams")
		workers := rapid.IntRange(1, 3).Draw(rt, "workers")
		revocations := rapid.IntRange(0, 60).Draw(rt, "revocations")
		revoking := rapid.SampledFrom([]Class{Urgent, Revocation}).Draw(rt, "revoking")
		class := rapid.SampledFrom([]Class{Mint, Interactive}).Draw(rt, "class")
		interval := time.Duration(float64(time.Minute) / (options.Default.Calls - float64(options.Default.Burst) + 1))
		patience := time.Duration(rapid.IntRange(4, 12).Draw(rt, "patience")) * interval
		var late time.Duration
		if workers == 1 { // Of several, one that is late finds its place taken by another.
			late = time.Duration(rapid.IntRange(0, 20).Draw(rt, "late")) * time.Second
		}
		var mu sync.Mutex
		went, again := 0, 0
		synctest.Test(t, func(t *testing.T) {
			p := newPacer(t, options)
			ctx, cancel := context.WithTimeout(t.Context(), 90*time.Minute)
			defer cancel()
			var all sync.WaitGroup
			for i := range teams {
				for range workers {
					all.Go(func() {
						for ctx.Err() == nil {
							refusals, err := obedient(ctx, p, Flow{fmt.Sprint("team", i), class}, "keys", patience, late)
							mu.Lock()
							if err == nil && refusals > 0 {
								went++
								again += refusals - 1
							}
							mu.Unlock()
						}
					})
				}
			}
			time.Sleep(time.Minute) //nolint:forbidigo // the time of the bubble
			for range revocations {
				all.Go(func() { _, _ = p.Wait(as(ctx, "revoker", revoking), "keys") })
			}
			all.Wait()
		})
		least := 80
		if workers > 1 {
			least = 50
		}
		if total := went + again; total > 50 && went*100 < total*least {
			rt.Fatalf("of %d calls that came back as they were told %d were refused again", total, again)
		}
	})
}
