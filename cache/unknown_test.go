package cache

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A write whose outcome is unknown takes effect after its end: what was read in
// between is not stored, and so not served after the effect.
func TestUnknownWrites(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, err := NewMemory(MemoryOptions{MaxBytes: MinMemory, Lease: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		s := subject{store: m, now: time.Now}
		tags := s.tags("a")
		s.put(t, "k", "before", tags)
		end, err := m.Open(t.Context(), tags)
		if err != nil {
			t.Fatal(err)
		}
		unknown := NewUnknownWrites()
		defer unknown.Close()
		unknown.Hold(func(ctx context.Context) { _ = end(ctx) })
		time.Sleep(UnknownOutcomeGrace - time.Nanosecond) //nolint:forbidigo // A bubble's clock.
		s.wantWriting(t, tags)
		s.wantMiss(t, "k", tags)
		time.Sleep(time.Nanosecond) //nolint:forbidigo // A bubble's clock.
		synctest.Wait()
		s.wantMiss(t, "k", tags)
		s.put(t, "k", "after", tags)
		s.wantHit(t, "k", "after", tags)
	})
}

// At the end of a process the writes stay open, and beyond the bound too.
func TestUnknownWritesAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		unknown, ended := NewUnknownWrites(), 0
		for range maxUnknownWrites + 10 {
			unknown.Hold(func(context.Context) { ended++ })
		}
		if len(unknown.timers) != maxUnknownWrites {
			t.Errorf("%d are held", len(unknown.timers))
		}
		unknown.Close()
		unknown.Hold(func(context.Context) { ended++ })
		time.Sleep(time.Hour) //nolint:forbidigo // A bubble's clock.
		if ended != 0 {
			t.Errorf("%d were ended", ended)
		}
	})
}
