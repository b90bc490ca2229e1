package cache

// State of the stores that only tests look at.

// bytes is an estimate of the memory of all entries, also of invalid ones that have
// not been removed yet.
func (m *Memory) bytes() uint64 { return m.entries.WeightedSize() }

// len is the number of entries, also of invalid ones that have not been removed
// yet.
func (m *Memory) len() int { return m.entries.EstimatedSize() }

// isolated reports whether the cap applies.
func (t *Tiered) isolated() bool { return t.memory.isolated(t.memory.now()) }

// convertedOf returns what an entry was converted to, or "".
func convertedOf(e Entry) string {
	held, _ := e.Forms.Held(Converted)
	return string(held)
}
