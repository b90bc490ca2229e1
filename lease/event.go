package lease

import "time"

// EventKind is what has happened to a lease. It is a word of the caller's of a
// [Ledger], of at most MaxNameBytes.
type EventKind string

// EventCreated is the kind of the first event of a lease.
const EventCreated EventKind = "created"

// Event is a change of a lease.
type Event struct {
	// Sequence numbers the events of a ledger from 1 on, without a gap.
	Sequence uint64 `json:"sequence"`
	// Kind is what has happened, At when, by the clock of who did it.
	Kind EventKind `json:"kind"`
	At   time.Time `json:"at"`
	// Record is the lease after it.
	Record Record `json:"record"`
}

// EventQuery asks for events.
type EventQuery struct {
	// After is the sequence of the last event that was seen; 0 for none.
	After uint64
	// Role selects events of one role; empty for all.
	Role string
	// PageSize is the largest number of events: 1 to MaxPage.
	PageSize int
}

// EventPage is a page of events.
type EventPage struct {
	Events []Event
	// Last is the sequence to go on after. It may be that of an event of another
	// role.
	Last uint64
}
