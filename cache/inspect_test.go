package cache

// What only tests ask of the stores.

// owing returns how many slots are still to be invalidated in Redis.
func (r *Redis) owing() int {
	n := 0
	for _, o := range r.listOrgs() {
		slots, _ := o.debts()
		n += len(slots)
	}
	return n
}

// bytes is about how much the entries take, including those that are no longer
// valid and have not been removed yet.
func (m *Memory) bytes() uint64 { return m.entries.WeightedSize() }

// len is how many entries there are, including those that are no longer valid
// and have not been removed yet.
func (m *Memory) len() int { return m.entries.EstimatedSize() }

// isolated tells whether invalidations by other replicas cannot be heard, so
// that entries in memory live no longer than the cap.
func (t *Tiered) isolated() bool { return t.memory.isolation.Load() != nil }
