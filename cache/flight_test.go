package cache

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var flightTestKey = Key{Org: "org_1", Canonical: "GET /a"}

func TestFlightOneFetch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c counts
		f := NewFlight[string](FlightOptions{Metrics: &c})
		defer f.Close()
		var fetches, shares atomic.Int64
		answer := make(chan string)
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() {
				got, shared, err := f.Do(t.Context(), flightTestKey, Version{number: 1}, func(context.Context) (string, error) {
					fetches.Add(1)
					return <-answer, nil
				})
				if got != "one" || err != nil {
					t.Errorf("Do = %q, %v", got, err)
				}
				if shared {
					shares.Add(1)
				}
			})
		}
		synctest.Wait()
		answer <- "one"
		all.Wait()
		if fetches.Load() != 1 || shares.Load() != 999 || c.get("flight coalesced") != 999 {
			t.Errorf("%d fetches, %d shared, %d counted", fetches.Load(), shares.Load(), c.get("flight coalesced"))
		}
		// Afterwards a new one begins, and an error is shared as well.
		want := errors.New("upstream")
		_, shared, err := f.Do(t.Context(), flightTestKey, Version{number: 1}, func(context.Context) (string, error) { return "", want })
		if shared || !errors.Is(err, want) {
			t.Errorf("afterwards: %v, %v", shared, err)
		}
	})
}

func TestFlightLeaderLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := NewFlight[string](FlightOptions{Timeout: time.Minute})
		defer f.Close()
		type valueKey struct{}
		leader, leave := context.WithCancel(context.WithValue(t.Context(), valueKey{}, "kept"))
		answer := make(chan struct{})
		left := make(chan error)
		go func() {
			_, _, err := f.Do(leader, flightTestKey, Version{number: 1}, func(ctx context.Context) (string, error) {
				<-answer
				value, _ := ctx.Value(valueKey{}).(string)
				return value, ctx.Err()
			})
			left <- err
		}()
		synctest.Wait()
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				got, shared, err := f.Do(t.Context(), flightTestKey, Version{number: 1}, nil)
				if got != "kept" || !shared || err != nil {
					t.Errorf("Do = %q, %v, %v", got, shared, err)
				}
			})
		}
		synctest.Wait()
		leave()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("the leader: %v", err)
		}
		close(answer)
		all.Wait()
	})
}

// A flight without callers ends, because its fetch would waste the upstream's
// budget, and the next caller must not join it.
func TestFlightEveryoneLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := NewFlight[string](FlightOptions{Timeout: time.Minute})
		defer f.Close()
		ctx, leave := context.WithCancel(t.Context())
		ended, finish := make(chan error, 1), make(chan struct{})
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				_, _, err := f.Do(ctx, flightTestKey, Version{number: 1}, func(ctx context.Context) (string, error) {
					<-ctx.Done()
					ended <- ctx.Err()
					<-finish
					return "", ctx.Err()
				})
				if !errors.Is(err, context.Canceled) {
					t.Errorf("Do = %v", err)
				}
			})
		}
		synctest.Wait()
		leave()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the fetch: %v", err)
		}
		all.Wait()
		got, shared, err := f.Do(t.Context(), flightTestKey, Version{number: 1}, func(context.Context) (string, error) { return "new", nil })
		if got != "new" || shared || err != nil {
			t.Errorf("the next: %q, %t, %v", got, shared, err)
		}
		close(finish)
	})
}

// The deadline of a flight is the latest one of its callers: the fetch begins no
// work that ends later.
func TestFlightDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := NewFlight[string](FlightOptions{Timeout: time.Minute})
		defer f.Close()
		began := time.Now()
		look, seen := make(chan struct{}), make(chan time.Duration)
		fetch := func(ctx context.Context) (string, error) {
			for range look {
				// Derived contexts have the same deadline.
				derived, cancel := context.WithTimeout(ctx, time.Hour)
				deadline, _ := derived.Deadline()
				cancel()
				seen <- deadline.Sub(began)
			}
			return "", ctx.Err()
		}
		want := func(d time.Duration) {
			t.Helper()
			synctest.Wait()
			look <- struct{}{}
			if got := <-seen; got != d {
				t.Errorf("deadline after %v, want %v", got, d)
			}
		}
		var all sync.WaitGroup
		join := func(ctx context.Context) {
			all.Go(func() { _, _, _ = f.Do(ctx, flightTestKey, Version{number: 1}, fetch) })
			synctest.Wait()
		}
		within := func(d time.Duration) context.Context {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			t.Cleanup(cancel)
			return ctx
		}
		join(within(3 * time.Second))
		want(3 * time.Second)
		join(within(2 * time.Second))
		want(3 * time.Second)
		join(within(20 * time.Second))
		want(20 * time.Second)
		join(t.Context())
		want(time.Minute)
		close(look)
		all.Wait()
	})
}

// A flight of Begin does not end when the callers that joined it leave.
func TestFlightBegin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := NewFlight[string](FlightOptions{Timeout: time.Minute})
		defer f.Close()
		answer := make(chan struct{})
		f.Begin(t.Context(), flightTestKey, Version{number: 1}, func(ctx context.Context) (string, error) {
			<-answer
			return "begun", ctx.Err()
		})
		ctx, leave := context.WithCancel(t.Context())
		left := make(chan error)
		go func() {
			_, _, err := f.Do(ctx, flightTestKey, Version{number: 1}, nil)
			left <- err
		}()
		synctest.Wait()
		leave()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("who left: %v", err)
		}
		f.Begin(t.Context(), flightTestKey, Version{number: 1}, nil) // There is one.
		go close(answer)
		if got, shared, err := f.Do(t.Context(), flightTestKey, Version{number: 1}, nil); got != "begun" || !shared || err != nil {
			t.Errorf("Do = %q, %t, %v", got, shared, err)
		}
	})
}

// A caller that came after a write must not get a response from before its end.
func TestFlightAfterWrite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, m := newMemorySubject(t)
		tags := s.tags("a")
		f := NewFlight[string](FlightOptions{})
		defer f.Close()
		var upstream atomic.Value
		upstream.Store("old")
		slow := make(chan struct{})
		read := func(wait bool) (string, bool) {
			got, shared, err := f.Do(t.Context(), flightTestKey, m.Version(tags), func(context.Context) (string, error) {
				seen, _ := upstream.Load().(string)
				if wait {
					<-slow
				}
				return seen, nil
			})
			if err != nil {
				t.Error(err)
			}
			return got, shared
		}
		var all sync.WaitGroup
		all.Go(func() {
			if got, _ := read(true); got != "old" {
				t.Errorf("before the write: %q", got)
			}
		})
		synctest.Wait()
		end := s.open(t, tags)
		upstream.Store("new")
		end()
		if got, shared := read(false); got != "new" || shared {
			t.Errorf("after the write: %q, shared: %v", got, shared)
		}
		close(slow)
		all.Wait()
	})
}

func TestFlightTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := NewFlight[string](FlightOptions{Timeout: time.Second})
		defer f.Close()
		began := time.Now()
		_, _, err := f.Do(t.Context(), flightTestKey, Version{number: 1}, func(ctx context.Context) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("Do = %v after %v", err, time.Since(began))
		}
	})
}

func TestFlightPanic(t *testing.T) {
	t.Parallel()
	f := NewFlight[string](FlightOptions{})
	defer f.Close()
	_, _, err := f.Do(t.Context(), flightTestKey, Version{number: 1}, func(context.Context) (string, error) { panic("odd") })
	if err == nil || !strings.Contains(err.Error(), "odd") {
		t.Errorf("Do = %v, want the panic", err)
	}
	got, _, err := f.Do(t.Context(), flightTestKey, Version{number: 1}, func(context.Context) (string, error) { return "fine", nil })
	if got != "fine" || err != nil {
		t.Errorf("afterwards: %q, %v", got, err)
	}
}

// A caller that may not know of a write does not join a fetch that departed before
// its last knowledge. One that has not departed yet will see the write.
func TestFlightDeparted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := NewFlight[string](FlightOptions{})
		defer f.Close()
		var all sync.WaitGroup
		fly := func(version Version, wantShared bool, wait, fetch time.Duration) {
			all.Go(func() {
				_, shared, err := f.Do(t.Context(), flightTestKey, version, func(ctx context.Context) (string, error) {
					time.Sleep(wait) //nolint:forbidigo // A bubble's clock.
					Depart(ctx)
					time.Sleep(fetch) //nolint:forbidigo // A bubble's clock.
					return "one", nil
				})
				if shared != wantShared || err != nil {
					t.Errorf("shared %t, %v, want %t", shared, err, wantShared)
				}
			})
			synctest.Wait()
		}
		isolated := func() Version { return Version{number: 1, since: time.Now().Add(-DefaultCap)} }
		fly(Version{number: 1}, false, 10*time.Second, 20*time.Second)
		time.Sleep(9 * time.Second) //nolint:forbidigo // A bubble's clock.
		fly(isolated(), true, 0, 0)
		time.Sleep(2 * time.Second) //nolint:forbidigo // A bubble's clock.
		fly(isolated(), true, 0, 0) // It departed a second ago.
		time.Sleep(DefaultCap)      //nolint:forbidigo // A bubble's clock.
		fly(Version{number: 1}, true, 0, 0)
		fly(isolated(), false, 0, time.Second)
		fly(isolated(), true, 0, 0) // The new one.
		all.Wait()
		if len(f.calls) != 0 {
			t.Errorf("%d flights left", len(f.calls))
		}
	})
}

func TestFlightClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := NewFlight[string](FlightOptions{})
		got := make(chan error)
		go func() {
			_, _, err := f.Do(t.Context(), flightTestKey, Version{number: 1}, func(ctx context.Context) (string, error) {
				<-ctx.Done()
				return "", ctx.Err()
			})
			got <- err
		}()
		synctest.Wait()
		f.Close()
		if err := <-got; !errors.Is(err, context.Canceled) {
			t.Errorf("in flight at Close: %v", err)
		}
		if _, _, err := f.Do(t.Context(), flightTestKey, Version{number: 1}, nil); !errors.Is(err, ErrFlightsClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

// TestFlightJoined: Joined is called for each caller that joins, and may ask for the
// deadline of the flight.
func TestFlightJoined(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		type name struct{}
		var joins []string
		flying := make(chan context.Context, 1)
		f := NewFlight[string](FlightOptions{Joined: func(flight, joiner context.Context) {
			own := <-flying
			own.Deadline()
			flying <- own
			joins = append(joins, fmt.Sprint(joiner.Value(name{}), " joins ", flight.Value(name{})))
		}})
		defer f.Close()
		answer := make(chan string)
		var all sync.WaitGroup
		for _, who := range []string{"first", "second", "third"} {
			all.Go(func() {
				if got, _, err := f.Do(context.WithValue(t.Context(), name{}, who), flightTestKey, Version{number: 1}, func(ctx context.Context) (string, error) {
					flying <- ctx
					return <-answer, nil
				}); got != "one" || err != nil {
					t.Errorf("Do = %q, %v", got, err)
				}
			})
			synctest.Wait()
		}
		answer <- "one"
		all.Wait()
		if got := strings.Join(joins, ", "); got != "second joins first, third joins first" {
			t.Error(got)
		}
	})
}
