package cache

import (
	"slices"

	"github.com/cespare/xxhash/v2"
)

// Slots is how many generations there are. Tags share them by hash, so that
// they take a fixed amount of room and none ever has to be evicted. Two tags in
// one slot are invalidated together, which costs a miss and is never wrong.
const Slots = 4096

// Slot is the number of a generation, below [Slots]. A tag has the same slot in
// every replica and every build.
type Slot uint16

// Tags are what an answer depends on, or what a write makes stale: names of
// collections and items, such as "/organization/projects/proj_a/users". The
// zero Tags are none. Tags do not change.
type Tags struct {
	org   string
	slots []Slot // ascending, each once
}

// NewTags returns the tags with these names in organization org (see
// [Key.Org]). The same name in two organizations is two tags.
func NewTags(org string, names ...string) Tags {
	slots := make([]Slot, 0, len(names))
	for _, name := range names {
		slots = append(slots, slotOf(org, name))
	}
	slices.Sort(slots)
	return Tags{org: org, slots: slices.Compact(slots)}
}

// Org returns the organization that the tags belong to.
func (t Tags) Org() string { return t.org }

// Slots returns the slots of the tags, ascending, each once. It must not be
// modified.
func (t Tags) Slots() []Slot { return t.slots }

func slotOf(org, name string) Slot {
	var h xxhash.Digest
	h.Reset()
	_, _ = h.WriteString(org) // never fails
	_, _ = h.WriteString("\x00")
	_, _ = h.WriteString(name)
	return Slot(h.Sum64() % Slots)
}

// validate tells whether an entry can depend on the tags: one that depends on
// nothing could never be made stale.
func (t Tags) validate() error {
	if t.org == "" || len(t.slots) == 0 {
		return ErrNoTags
	}
	return nil
}
