package cache

import (
	"sync"
	"sync/atomic"
	"time"
)

// generations is the table of the slots of one process. Reads take no lock.
type generations struct {
	lease time.Duration
	// now is the time since the table was made. It never goes back.
	now   func() time.Duration
	mu    sync.Mutex // held to change a slot
	slots [Slots]slotState
}

// slotState is one generation and the writes that are open on it.
//
// Writes are counted by the window of time, one lease long, in which they began, and
// the writes of a window expire at the end of the next one. So a write that is never
// closed keeps the slot open for one to two leases, however many others begin and
// end meanwhile. A later close finds its window gone, and does not close a write
// that began since.
type slotState struct {
	generation atomic.Uint64
	// openUntil is the time, by now, at which the last window with an open write
	// expires; zero if no write is open.
	openUntil atomic.Int64
	windows   [2]window
}

type window struct {
	number int64 // now / lease, counted from one: zero is no window
	writes int
}

func newGenerations(lease time.Duration, now func() time.Duration) *generations {
	return &generations{lease: lease, now: now}
}

// read returns the generations of slots. open reports whether a write to one of
// them is open.
func (g *generations) read(slots []Slot) (at []uint64, open bool) {
	at = make([]uint64, len(slots))
	for i, slot := range slots {
		// The generation before the open writes: a reader that sees the generation
		// of a write also sees that the slot is open.
		at[i] = g.slots[slot].generation.Load()
		if g.isOpen(slot) {
			return nil, true
		}
	}
	return at, false
}

func (g *generations) isOpen(slot Slot) bool {
	until := g.slots[slot].openUntil.Load()
	return until != 0 && int64(g.now()) < until // Zero in most cases, without a look at the clock.
}

// version is a number that grows with each change of one of the slots: the sum of their
// generations. While it is that of what read returned, no slot has moved since, and none
// is open, because opening a slot moves it.
func (g *generations) version(slots []Slot) uint64 {
	var sum uint64
	for _, slot := range slots {
		sum += g.slots[slot].generation.Load()
	}
	return sum
}

// versionOf is the version of slots that have these generations.
func versionOf(generations []uint64) uint64 {
	var sum uint64
	for _, generation := range generations {
		sum += generation
	}
	return sum
}

// open begins a write and returns its window.
func (g *generations) open(slots []Slot) int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	number := int64(g.now()/g.lease) + 1
	for _, slot := range slots {
		s := &g.slots[slot]
		w := &s.windows[number%2]
		if w.number != number {
			*w = window{number: number}
		}
		w.writes++
		// Open first, then the next generation: no reader sees the new one closed.
		s.openUntil.Store(int64(g.lease) * (number + 1))
		s.generation.Add(1)
	}
	return number
}

// close ends a write of window number.
func (g *generations) close(slots []Slot, number int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, slot := range slots {
		s := &g.slots[slot]
		// The next generation first: no reader sees the old one closed.
		s.generation.Add(1)
		if w := &s.windows[number%2]; w.number == number && w.writes > 0 {
			w.writes--
		}
		var until int64
		for _, w := range s.windows {
			if w.writes > 0 {
				until = max(until, int64(g.lease)*(w.number+1))
			}
		}
		s.openUntil.Store(until)
	}
}

// bump moves slots to the next generation.
func (g *generations) bump(slots []Slot) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, slot := range slots {
		if int(slot) < Slots {
			g.slots[slot].generation.Add(1)
		}
	}
}

// bumpAll moves every slot to the next generation.
func (g *generations) bumpAll() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range g.slots {
		g.slots[i].generation.Add(1)
	}
}
