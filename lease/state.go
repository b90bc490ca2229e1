package lease

import "slices"

// State says how far a lease has come.
type State uint8

// The states. The zero value is none of them.
//
//	INTENT → ISSUED → ACTIVE → EXPIRED
//	   │        └────────┴─────→ REVOKING → REVOKED
//	   ├→ DOUBTFUL ────────────────↑  ↑
//	   │      └→ ABORTED        ORPHAN┘
//	   └────────→ ABORTED
const (
	_ State = iota
	// Intent is a lease whose credential is going to be made, or is being made.
	Intent
	// Issued is a lease whose credential is there, and may not have arrived.
	Issued
	// Active is a lease whose credential has arrived at its holder.
	Active
	// Expired is a lease whose credential the upstream has ended by itself.
	Expired
	// Revoking is a lease whose credential has to be deleted.
	Revoking
	// Revoked is a lease whose credential is gone.
	Revoked
	// Doubtful is a lease of which nobody knows whether its credential was made.
	Doubtful
	// Aborted is a lease whose credential was never made, or is over whether it was
	// made or not.
	Aborted
	// Orphan is a credential with our marker that was found without a record.
	Orphan
)

// stateNames are the names by which states are stored and shown.
var stateNames = [...]string{
	Intent: "INTENT", Issued: "ISSUED", Active: "ACTIVE", Expired: "EXPIRED", Revoking: "REVOKING",
	Revoked: "REVOKED", Doubtful: "DOUBTFUL", Aborted: "ABORTED", Orphan: "ORPHAN",
}

// transitions are all that may follow a state. A state without any is an end.
//
// An INTENT that the upstream refused is ABORTED at once: its outcome is known, and a
// detour through DOUBTFUL would raise alerts about a doubt that there is not.
var transitions = [...][]State{
	Intent:   {Issued, Doubtful, Aborted},
	Issued:   {Active, Expired, Revoking},
	Active:   {Expired, Revoking},
	Revoking: {Revoked},
	Doubtful: {Revoking, Aborted},
	Orphan:   {Revoking},
	Expired:  nil,
	Revoked:  nil,
	Aborted:  nil,
}

// States returns all states, in a fixed order.
func States() []State {
	return []State{Intent, Issued, Active, Expired, Revoking, Revoked, Doubtful, Aborted, Orphan}
}

// String is the name of the state, such as "ACTIVE".
func (s State) String() string {
	if !s.Valid() {
		return "UNKNOWN"
	}
	return stateNames[s]
}

// ParseState is the state with this name; false if there is none.
func ParseState(name string) (State, bool) {
	i := slices.Index(stateNames[:], name)
	return State(max(i, 0)), i > 0
}

// Valid tells whether s is one of the states.
func (s State) Valid() bool { return s > 0 && int(s) < len(stateNames) }

// Final tells whether nothing follows the state.
func (s State) Final() bool { return s.Valid() && len(transitions[s]) == 0 }

// Live tells whether a credential may exist in this state, so that it counts against
// what a role or a caller may have.
func (s State) Live() bool { return s.Valid() && !s.Final() }

// Initial tells whether a record may begin in this state.
func (s State) Initial() bool { return s == Intent || s == Orphan }

// May tells whether next may follow s. A state that is no end may also stay, while
// something else of the record changes.
func (s State) May(next State) bool {
	return s.Valid() && (s == next && !s.Final() || slices.Contains(transitions[s], next))
}

// From returns the states that s may follow, and s itself if it may stay.
func (s State) From() []State {
	var from []State
	for _, before := range States() {
		if before.May(s) {
			from = append(from, before)
		}
	}
	return from
}

// MarshalText implements encoding.TextMarshaler.
func (s State) MarshalText() ([]byte, error) {
	if !s.Valid() {
		return nil, invalid("state", "is none of the states")
	}
	return []byte(s.String()), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *State) UnmarshalText(text []byte) error {
	state, ok := ParseState(string(text))
	if !ok {
		return invalid("state", "is none of the states")
	}
	*s = state
	return nil
}
