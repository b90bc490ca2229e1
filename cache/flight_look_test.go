package cache

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// One looks, for all who come meanwhile, and what it finds needs no fetch.
func TestFlightLooksOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := NewFlight[string](FlightOptions{})
		defer f.Close()
		var looks, shares atomic.Int64
		found := make(chan struct{})
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				got, shared, err := f.LookOrDo(t.Context(), flightTestKey, Version{number: 1},
					func(context.Context) (string, bool) { looks.Add(1); <-found; return "found", true },
					func(context.Context) (string, error) { t.Error("a fetch"); return "", nil })
				if got != "found" || err != nil {
					t.Errorf("got %q, %v", got, err)
				}
				if shared {
					shares.Add(1)
				}
			})
		}
		synctest.Wait()
		close(found)
		all.Wait()
		if looks.Load() != 1 || shares.Load() != 99 {
			t.Errorf("%d looks, %d shared", looks.Load(), shares.Load())
		}
		// It has ended: the next caller looks again.
		if got, shared, err := f.LookOrDo(t.Context(), flightTestKey, Version{number: 1},
			func(context.Context) (string, bool) { return "again", true }, nil); got != "again" || shared || err != nil {
			t.Errorf("afterwards %q, %t, %v", got, shared, err)
		}
	})
}

// What is not found is fetched, and a caller that left while it looked leaves that to the
// others. Without others there is no fetch.
func TestFlightLookerLeaves(t *testing.T) {
	t.Parallel()
	for name, others := range map[string]int{"alone": 0, "among others": 10} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := NewFlight[string](FlightOptions{Timeout: time.Minute})
				defer f.Close()
				ctx, leave := context.WithCancel(t.Context())
				left := make(chan error)
				var fetches atomic.Int64
				fetch := func(ctx context.Context) (string, error) { fetches.Add(1); return "fetched", ctx.Err() }
				go func() {
					_, _, err := f.LookOrDo(ctx, flightTestKey, Version{number: 1},
						func(ctx context.Context) (string, bool) { <-ctx.Done(); return "half an answer", false }, fetch)
					left <- err
				}()
				synctest.Wait()
				var all sync.WaitGroup
				for range others {
					all.Go(func() {
						got, shared, err := f.LookOrDo(t.Context(), flightTestKey, Version{number: 1},
							func(context.Context) (string, bool) { t.Error("a second look"); return "", false }, nil)
						if got != "fetched" || !shared || err != nil {
							t.Errorf("who joined got %q, %t, %v", got, shared, err)
						}
					})
				}
				synctest.Wait()
				leave()
				if err := <-left; !errors.Is(err, context.Canceled) {
					t.Errorf("who looked got %v", err)
				}
				all.Wait()
				synctest.Wait()
				if got := fetches.Load(); got != int64(min(others, 1)) {
					t.Errorf("%d fetches for %d callers that are left", got, others)
				}
				got, shared, err := f.Do(t.Context(), flightTestKey, Version{number: 1}, func(context.Context) (string, error) { return "new", nil })
				if got != "new" || shared || err != nil {
					t.Errorf("the next got %q, %t, %v", got, shared, err)
				}
			})
		})
	}
}

// A panic of a look is an error for all callers, and Close waits for a look.
func TestFlightLookEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := NewFlight[string](FlightOptions{})
		begun, closed := make(chan struct{}), make(chan struct{})
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() {
				_, _, err := f.LookOrDo(t.Context(), flightTestKey, Version{number: 1},
					func(context.Context) (string, bool) { <-begun; panic("bug") }, nil)
				if err == nil || !strings.Contains(err.Error(), "bug") {
					t.Errorf("got %v", err)
				}
			})
		}
		synctest.Wait()
		go func() { f.Close(); close(closed) }()
		synctest.Wait()
		select {
		case <-closed:
			t.Error("Close did not wait")
		default:
		}
		close(begun)
		all.Wait()
		<-closed
	})
}
