package heapfloor

import (
	"context"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestTarget: the target is the floor above what is in use, and no more than without a
// floor where more than that is in use.
func TestTarget(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		floor := Floor(rapid.Uint64Range(1<<20, most).Draw(t, "floor"))
		live, scanned := rapid.Uint64Range(1<<10, 1<<32).Draw(t, "live"), rapid.Uint64Range(0, 8<<20).Draw(t, "scanned")
		target := func(percent int) float64 { return float64(live) + float64(live+scanned)*float64(percent)/100 }
		got, without := target(floor.percent(live, scanned)), target(standard)
		above := float64(live) + float64(floor)
		if least := max(above-float64(live+scanned)/100, without); got < least {
			t.Errorf("the target is %.0f, and at least %.0f is due", got, least)
		}
		if most := max(above, without); got > most {
			t.Errorf("the target is %.0f, and at most %.0f is due", got, most)
		}
	})
}

// TestTargetOfTheFirst: before anything was collected, the target is the floor.
func TestTargetOfTheFirst(t *testing.T) {
	t.Parallel()
	for floor, want := range map[Floor]int{1 << 20: standard, 4 << 20: 100, 64 << 20: 1600, most: 3200} {
		if got := floor.percent(0, 0); got != want {
			t.Errorf("of a floor of %d: %d", floor, got)
		}
	}
}

// TestFor: a small container has a small floor, and who sets GOGC has none.
func TestFor(t *testing.T) {
	t.Setenv("GOGC", "")
	for limit, want := range map[int64]Floor{math.MaxInt64: 128 << 20, 4 << 30: 128 << 20, 448 << 20: 112 << 20, 80 << 20: 20 << 20, 0: 0, -1: 0} {
		if got := For(limit); got != want {
			t.Errorf("of %d bytes the floor is %d, want %d", limit, got, want)
		}
	}
	t.Setenv("GOGC", "100")
	if got := For(math.MaxInt64); got != 0 {
		t.Errorf("with GOGC set the floor is %d", got)
	}
}

// TestRun: the runtime has the floor as its target, and gives it up for a heap that is
// above it.
func TestRun(t *testing.T) {
	if os.Getenv("GOGC") != "" {
		t.Skip("GOGC is set, and the target is not the standard one")
	}
	const floor = Floor(64 << 20)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- floor.Run(ctx) }()
	awaitTarget(t, "of a small heap", func(target, _ uint64) bool { return target > uint64(floor)/10*9 })
	held := slices.Repeat([]byte{1}, int(2*floor))
	awaitTarget(t, "of a large heap", func(target, live uint64) bool { return live >= uint64(2*floor) && target < 2*live+16<<20 })
	runtime.KeepAlive(held)
	awaitTarget(t, "of a small heap again", func(target, live uint64) bool { return live < uint64(floor)/2 && target > uint64(floor)/10*9 })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	awaitTarget(t, "after the end", func(target, _ uint64) bool { return target < uint64(floor)/2 })
}

// TestBegin: the runtime has the floor as its target before Run.
func TestBegin(t *testing.T) { //nolint:paralleltest // It is about all of the process.
	if os.Getenv("GOGC") != "" {
		t.Skip("GOGC is set, and the target is not the standard one")
	}
	const floor = Floor(64 << 20)
	runtime.GC()
	floor.Begin()
	defer debug.SetGCPercent(standard)
	awaitTarget(t, "from the beginning", func(target, _ uint64) bool { return target > uint64(floor)/10*9 })
}

// TestWhatTheStartLeft: it is collected without anything being allocated.
func TestWhatTheStartLeft(t *testing.T) { //nolint:paralleltest // It is about all of the process.
	forced := func() uint64 {
		sample := []metrics.Sample{{Name: "/gc/cycles/forced:gc-cycles"}}
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	before := forced()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Floor(64 << 20).Run(ctx) }()
	for end := time.Now().Add(time.Minute); forced() == before; <-time.After(interval / 10) {
		if time.Now().After(end) {
			t.Fatal("nothing was collected")
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// awaitTarget collects garbage until the target is as wanted.
func awaitTarget(t *testing.T, what string, good func(target, live uint64) bool) {
	t.Helper()
	samples := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}, {Name: "/gc/heap/live:bytes"}}
	for end := time.Now().Add(time.Minute); ; {
		runtime.GC()
		metrics.Read(samples)
		target, live := samples[0].Value.Uint64(), samples[1].Value.Uint64()
		if good(target, live) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the target %s is %d, with %d in use", what, target, live)
		}
		<-time.After(interval / 10)
	}
}
