package histories

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// What docs/caching.md announces. A read may be as old as the bound of the faults
// around it; slack is what a busy machine adds.
const (
	// Calm is the bound with nothing wrong: the time that an invalidation takes to
	// the other replicas.
	Calm = 500 * time.Millisecond
	// Isolated is the longest life of an answer in the memory of a replica that
	// does not hear the others.
	Isolated = 8*time.Second + slack
	// Lapsed is how long others may use answers that a replica could not invalidate
	// before it died, or was cut off: until its lease has lapsed.
	Lapsed = 15*time.Second + slack
	// Drained is the same for a replica that reaches Redis again within two seconds of
	// its drain, and pays: well before its lease could lapse.
	Drained = 5*time.Second + slack
	// Told is how soon /readyz says that Redis is lost, or back.
	Told = 10 * time.Second
	// Grace is how long after its answer was lost a write may take effect, and be seen
	// by every read that begins after that.
	Grace = 30 * time.Second
	// HitsAgain is how long a write that died with its replica keeps others from
	// storing answers.
	HitsAgain = 45*time.Second + 5*slack

	slack = time.Second
)

// Fault is something that was wrong for a time, by the clock of the cluster.
type Fault struct {
	Name        string
	Replica     string // "" for one of Redis
	From, Until time.Duration
	// Bound is how old a read may be because of it. The fault counts for reads that
	// begin before twice the bound after its end.
	Bound time.Duration
}

// Faults records faults. It may be used from any goroutine.
type Faults struct {
	mu     sync.Mutex
	faults []Fault
}

// Add records a fault.
func (f *Faults) Add(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, fault)
}

// All returns all faults, in the order of their beginnings.
func (f *Faults) All() []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.SortedFunc(slices.Values(f.faults), func(a, b Fault) int { return cmp.Compare(a.From, b.From) })
}

// Bound is how old a read may be that began at the given time: the longest of the
// faults around it. Bounds do not add up, because each counts from the last moment at
// which the reader's replica knew that its answers were good.
func (f *Faults) Bound(at time.Duration) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	bound := Calm
	for _, fault := range f.faults {
		if fault.From <= at && at <= fault.Until+2*fault.Bound {
			bound = max(bound, fault.Bound)
		}
	}
	return bound
}
