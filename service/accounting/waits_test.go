package accounting_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/admin-gateway/admin-gateway/service/accounting"
)

func wantWaits(t *testing.T, w *accounting.Waits, took time.Duration, bucket string) {
	t.Helper()
	if got, of := w.Read(); got != took || of != bucket {
		t.Errorf("waited %s for %q, want %s for %q", got, of, took, bucket)
	}
}

// pass lets time go by, in a bubble.
func pass(d time.Duration) { <-time.NewTimer(d).C }

// TestWaits: a call waits for as long as all of its waits together, also while one goes
// on, and for the bucket that it waited for longest.
func TestWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var w accounting.Waits
		wantWaits(t, &w, 0, "")
		w.Begin("free")()
		wantWaits(t, &w, 0, "free")
		end := w.Begin("users:read")
		pass(3 * time.Second)
		wantWaits(t, &w, 3*time.Second, "users:read")
		end()
		pass(time.Second)
		end()
		wantWaits(t, &w, 3*time.Second, "users:read")
		end = w.Begin("")
		pass(time.Hour)
		end()
		w.Shared(time.Second)
		wantWaits(t, &w, time.Hour+4*time.Second, "users:read")
		part := new(accounting.Waits)
		end = part.Begin("costs:read")
		pass(time.Minute)
		end()
		w.Include(part)
		wantWaits(t, &w, time.Hour+time.Minute+4*time.Second, "costs:read")
	})
}

// TestWaitsOfASharedFetch: who shares a fetch waits for the bucket that it waits for, and
// two calls that share with each other end neither in a loop nor in a lock.
func TestWaitsOfASharedFetch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var first, second accounting.Waits
		second.Join(&first)
		first.Join(&second)
		first.Join(&first)
		end := first.Begin("users:read")
		pass(time.Second)
		second.Shared(time.Second)
		wantWaits(t, &second, time.Second, "users:read")
		end()
		wantWaits(t, &first, time.Second, "users:read")
		wantWaits(t, &second, time.Second, "users:read")
	})
}
