package cache

import "time"

// Snapshot is what the generations of some tags were at a moment. It is taken
// before a fetch begins and handed over when its answer is saved, to the store
// that gave it. The zero Snapshot saves nothing.
type Snapshot struct {
	tags Tags
	// generations are those of tags.slots, in that order.
	generations []uint64
	// epoch tells apart the lives of a store that can lose its generations
	// (Redis restarted empty, or the hash evicted): generations of different
	// epochs are never equal. Zero where they cannot be lost.
	epoch uint64
	// taken is when, by this process's clock.
	taken time.Time
	// shared is what the store below said, in a Tiered; nil when it could not be
	// asked, and then nothing is saved there.
	shared *Snapshot
}

// sameGenerations tells whether both are of the same slots at the same
// generations. An entry is valid if its own snapshot and the current one are.
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
