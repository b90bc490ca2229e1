package adminjson

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// DriftKind is a way in which an answer differs from the schema.
type DriftKind string

// The ways in which an answer differs from the schema. None is an error.
const (
	// UnknownField is a member that the message does not have.
	UnknownField DriftKind = "unknown_field"
	// UnknownEnum is a string that the enum has no value for.
	UnknownEnum DriftKind = "unknown_enum"
	// UnexpectedNull is a null where absent and zero are the same in the message.
	UnexpectedNull DriftKind = "null"
	// SecondOneof is a member of a oneof of which another member came before.
	SecondOneof DriftKind = "second_oneof"
	// TypeMismatch is a value that its field cannot hold: of another type or out of
	// range.
	TypeMismatch DriftKind = "type_mismatch"
	// Unredacted is a whole value beside a redacted one, where the message has the
	// redacted one alone. It is masked in the answer's JSON.
	Unredacted DriftKind = "unredacted"
)

// MaxDriftEntries is how many entries a [Drift] keeps.
const MaxDriftEntries = 1024

// DriftEntry is one difference between answers and the schema.
type DriftEntry struct {
	// Message is the message that the member is in.
	Message protoreflect.FullName
	// Member is the name in JSON, or [OtherMember].
	Member string
	// Kind is the difference.
	Kind DriftKind
	// Count is how often it was seen.
	Count uint64
}

// Drift counts members and values of answers that the schema lacks, so that an upstream that
// grows is noticed before anybody misses a field. It keeps at most
// [MaxDriftEntries] entries, whatever answers hold; a difference that comes
// later is only counted in [Drift.Dropped]. The zero value is ready for use and
// safe for concurrent use.
type Drift struct {
	mu      sync.RWMutex
	seen    map[driftKey]*atomic.Uint64
	dropped atomic.Uint64
}

type driftKey struct {
	message protoreflect.FullName
	member  string
	kind    DriftKind
}

// Snapshot returns the counts so far, ordered by message, member, kind.
func (d *Drift) Snapshot() []DriftEntry {
	d.mu.RLock()
	entries := make([]DriftEntry, 0, len(d.seen))
	for k, n := range d.seen {
		entries = append(entries, DriftEntry{Message: k.message, Member: k.member, Kind: k.kind, Count: n.Load()})
	}
	d.mu.RUnlock()
	slices.SortFunc(entries, func(a, b DriftEntry) int {
		return cmp.Or(cmp.Compare(a.Message, b.Message), cmp.Compare(a.Member, b.Member), cmp.Compare(a.Kind, b.Kind))
	})
	return entries
}

// Dropped is how many differences were seen that there was no entry left for.
func (d *Drift) Dropped() uint64 { return d.dropped.Load() }

// add counts one difference. A nil Drift counts nothing.
func (d *Drift) add(message protoreflect.FullName, member string, kind DriftKind) {
	if d == nil {
		return
	}
	k := driftKey{message, member, kind}
	d.mu.RLock()
	n := d.seen[k]
	d.mu.RUnlock()
	if n == nil {
		k.member = label(member)
		n = d.entry(k)
	}
	if n == nil {
		d.dropped.Add(1)
		return
	}
	n.Add(1)
}

// entry returns the counter of a key, nil when the table is full.
func (d *Drift) entry(k driftKey) *atomic.Uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.seen[k]
	if n != nil || len(d.seen) >= MaxDriftEntries {
		return n
	}
	if d.seen == nil {
		d.seen = make(map[driftKey]*atomic.Uint64)
	}
	n = new(atomic.Uint64)
	d.seen[k] = n
	return n
}
