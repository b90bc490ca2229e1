package cache

import (
	"slices"

	"github.com/cespare/xxhash/v2"
)

// Slots is the number of generations. Tags share them by hash, so that they take a
// fixed amount of room and none has to be evicted. Two tags in one slot are
// invalidated together, which costs a miss and is never wrong.
const Slots = hashedSlots + 1

// hashedSlots is the number of slots that names share. The last slot is that of
// [Everything].
const hashedSlots = 4096

// Slot is the number of a generation, below [Slots]. A tag has the same slot in
// every replica and every build.
type Slot uint16

// Everything is the name of a tag that shares its slot with no other. Where all
// entries have it, its purge invalidates all of them.
const Everything = ""

// Tags are the collections and items that a response depends on, or that a write
// invalidates, such as "/organization/projects/proj_a/users". The zero Tags are
// none. Tags do not change.
type Tags struct {
	org   string
	slots []Slot // ascending, each once
}

// NewTags returns the tags with these names in organization org (see
// [Key.Org]). The same name in two organizations is two tags.
func NewTags(org string, names ...string) Tags {
	b := TagsBuilder{org: org, slots: make([]Slot, 0, len(names))}
	for _, name := range names {
		b.Add([]byte(name))
	}
	return b.Tags()
}

// TagsBuilder builds Tags from names in bytes, without an allocation for each.
type TagsBuilder struct {
	org   string
	slots []Slot
}

// BuildTags begins Tags of organization org, with room for a number of names.
func BuildTags(org string, room int) TagsBuilder {
	return TagsBuilder{org: org, slots: make([]Slot, 0, room)}
}

// Add adds a name. It does not retain the slice.
func (b *TagsBuilder) Add(name []byte) {
	b.slots = append(b.slots, slotOf(b.org, name))
}

// Tags returns the tags. The builder must not be used after.
func (b *TagsBuilder) Tags() Tags {
	slices.Sort(b.slots)
	return Tags{org: b.org, slots: slices.Compact(b.slots)}
}

// Org returns the organization that the tags belong to.
func (t Tags) Org() string { return t.org }

// Slots returns the slots of the tags, ascending, each once. It must not be
// modified.
func (t Tags) Slots() []Slot { return t.slots }

func slotOf(org string, name []byte) Slot {
	if string(name) == Everything {
		return hashedSlots
	}
	var h xxhash.Digest
	h.Reset()
	_, _ = h.WriteString(org) // never fails
	_, _ = h.WriteString("\x00")
	_, _ = h.Write(name)
	return Slot(h.Sum64() % hashedSlots)
}

// validate returns an error if an entry cannot depend on the tags: no write could
// invalidate an entry without tags.
func (t Tags) validate() error {
	if t.org == "" || len(t.slots) == 0 {
		return ErrNoTags
	}
	return nil
}
