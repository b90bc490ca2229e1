package cache

import "time"

// Snapshot is the generations of tags at a moment. It is taken before a fetch, and
// given to Save of the same store with the response. Save refuses the zero Snapshot.
type Snapshot struct {
	tags Tags
	// generations are those of tags.slots, in that order.
	generations []uint64
	// epoch changes when a store loses its generations, as when Redis restarts empty
	// or evicts the hash. Generations of different epochs are never equal. It is
	// zero for stores that cannot lose them.
	epoch uint64
	// taken is the time of the snapshot by the clock of this process.
	taken time.Time
	// shared is the snapshot of the shared store, in a Tiered. It is nil if that
	// store was unavailable; then the entry is not saved there.
	shared *Snapshot
}

// sameGenerations reports whether both have the same slots at the same generations.
// An entry is valid while its snapshot and the current one have.
func (s Snapshot) sameGenerations(other Snapshot) bool {
	if s.epoch != other.epoch || len(s.generations) != len(other.generations) ||
		len(s.tags.slots) != len(other.tags.slots) {
		return false
	}
	for i, slot := range s.tags.slots {
		if slot != other.tags.slots[i] || s.generations[i] != other.generations[i] {
			return false
		}
	}
	return true
}
