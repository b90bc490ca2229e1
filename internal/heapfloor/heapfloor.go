// Package heapfloor keeps the garbage collector from running hundreds of times a second
// over a small heap. It imports nothing of the project.
//
// With GOGC at 100 the collector runs when what was allocated is as much as what is in
// use. Where that is ten megabytes, and a thousand calls make ten more, each of them pays
// for a collection, which also shrinks the stacks that the next ones grow again. A [Floor]
// is the least that is allocated between two collections. Where more is in use it changes
// nothing: a heap of half a gigabyte becomes no larger than without it.
package heapfloor

import (
	"context"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

const (
	// most is the floor where there is memory enough.
	most = 128 << 20
	// part is which part of the memory limit the floor is at most: a quarter.
	part = 4
	// limitRatio is how much of the memory of its container the process aims at, where
	// GOMEMLIMIT does not say.
	limitRatio = 0.9
	// interval is how long after a collection the target is set anew at the latest. What
	// is allocated in that time is what a heap that grows at once can overshoot by.
	interval = 100 * time.Millisecond
	// firstTarget is that of the first collection, with a GOGC of 100.
	firstTarget = 4 << 20
	// standard is the GOGC of a process that is not told.
	standard = 100
)

// Limit sets the memory limit of the process from that of its container (cgroup), where
// the environment variable GOMEMLIMIT does not set one. It returns the limit in force in
// bytes, [math.MaxInt64] for none.
func Limit() int64 {
	if os.Getenv("GOMEMLIMIT") == "" {
		if limit, err := memlimit.FromCgroup(); err == nil && limit > 0 && limit < math.MaxInt64 {
			debug.SetMemoryLimit(int64(float64(limit) * limitRatio))
		}
	}
	return debug.SetMemoryLimit(-1)
}

// Floor is the least that is allocated between two collections, in bytes: the target of the
// heap is at least so far above what is in use. Zero changes nothing.
type Floor uint64

// For is the floor for a process with a memory limit in bytes: 128 MiB, or a quarter of
// the limit where that is less. It is zero where the environment variable GOGC is set:
// whoever set it has chosen.
func For(limit int64) Floor {
	if os.Getenv("GOGC") != "" {
		return 0
	}
	return Floor(min(most, max(limit, 0)/part))
}

// Begin sets the floor for what is allocated until [Floor.Run] takes over. A program that
// starts has little garbage and makes a lot that stays: to collect four times on the way
// takes a quarter of the start.
func (f Floor) Begin() {
	if f != 0 {
		heap := newHeap()
		heap.read()
		debug.SetGCPercent(f.percent(heap.live(), heap.scanned()))
	}
}

// Run keeps the floor until ctx ends, and then sets GOGC to its standard of 100. When the
// start is over, it gives the memory back that only the start needed. It is for one
// goroutine of a process: GOGC is a setting of all of it.
func (f Floor) Run(ctx context.Context) error {
	if f == 0 {
		return nil
	}
	defer debug.SetGCPercent(standard)
	heap := newHeap()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	started := false
	percent := 0 // Not known: it is set.
	for collected := uint64(0); ; {
		if heap.read(); heap.cycles() != collected || percent == 0 {
			collected = heap.cycles()
			// To set it stops all goroutines for some microseconds.
			if want := f.percent(heap.live(), heap.scanned()); want*10 > percent*11 || want*11 < percent*10 {
				percent = want
				debug.SetGCPercent(percent)
			}
		}
		select {
		case <-tick.C:
			if !started {
				started = true
				debug.FreeOSMemory()
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// percent is the GOGC with which the target of the heap is as far above what is in use as
// the floor says, and 100 where it is further anyway. The target is live + (live +
// scanned) × GOGC / 100 ("Target heap memory" of the guide to Go's garbage collector).
func (f Floor) percent(live, scanned uint64) int {
	if live+scanned == 0 { // Before the first collection the target is fixed.
		return int(max(standard, uint64(f)*100/firstTarget))
	}
	return int(max(standard, uint64(f)*100/(live+scanned)))
}

// heap reads what the runtime says about its last collection.
type heap struct{ samples []metrics.Sample }

func newHeap() *heap {
	return &heap{[]metrics.Sample{
		{Name: "/gc/cycles/total:gc-cycles"}, {Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"},
	}}
}

func (h *heap) read()           { metrics.Read(h.samples) }
func (h *heap) cycles() uint64  { return h.samples[0].Value.Uint64() }
func (h *heap) live() uint64    { return h.samples[1].Value.Uint64() }
func (h *heap) scanned() uint64 { return h.samples[2].Value.Uint64() + h.samples[3].Value.Uint64() }
