package lease

import "time"

// DueKind is what there is to do about a lease at a time.
type DueKind byte

// The kinds. Their values are stored.
const (
	// DueIntent is an intent that nobody has ended by the time that its request
	// could be sent: its outcome is unknown.
	DueIntent DueKind = 'i'
	// DueExpiry is a lease whose credential the upstream has ended.
	DueExpiry DueKind = 'e'
	// DueDoubt is a doubtful credential to look for, or to give up.
	DueDoubt DueKind = 'd'
	// DueRevocation is a credential to delete, DueUrgent one to delete first.
	DueRevocation DueKind = 'r'
	DueUrgent     DueKind = 'u'
	// DueSecret is a secret to erase.
	DueSecret DueKind = 's'
	// DueForget is a lease that has ended, to be forgotten.
	DueForget DueKind = 'f'
)

// DueKinds returns all kinds.
func DueKinds() []DueKind {
	return []DueKind{DueIntent, DueExpiry, DueDoubt, DueRevocation, DueUrgent, DueSecret, DueForget}
}

// Due is something to do at a time.
type Due struct {
	Kind DueKind
	At   time.Time
}

// Dues returns what there will be to do about a lease: one thing for its state, and
// one for its secret. So a lease in whatever state is looked at again.
func (r *Record) Dues() []Due {
	var dues []Due
	if !r.SecretUntil.IsZero() {
		dues = append(dues, Due{DueSecret, r.SecretUntil})
	}
	switch r.State {
	case Intent:
		dues = append(dues, Due{DueIntent, r.SendBefore})
	case Issued, Active:
		dues = append(dues, Due{DueExpiry, r.UpstreamExpires})
	case Doubtful:
		at := r.UpstreamExpires
		if !r.NextAttempt.IsZero() && r.NextAttempt.Before(at) {
			at = r.NextAttempt
		}
		dues = append(dues, Due{DueDoubt, at})
	case Revoking, Orphan:
		kind, at := DueRevocation, r.NextAttempt
		if r.Urgent {
			kind = DueUrgent
		}
		if at.IsZero() {
			at = r.Created
		}
		dues = append(dues, Due{kind, at})
	case Expired, Revoked, Aborted:
		dues = append(dues, Due{DueForget, r.ForgetAt})
	}
	return dues
}

// DueQuery asks for leases for which the time has come.
type DueQuery struct {
	Kind DueKind
	// Now is the time: what is due then or before is returned.
	Now time.Time
	// PageSize is the largest number of leases: 1 to MaxPage.
	PageSize int
	// After is the cursor of the page before; empty to begin with the earliest.
	After string
}

// DuePage is a page of leases for which the time has come.
type DuePage struct {
	Records []Record
	// After is the cursor to go on with; empty if nothing more is due.
	After string
	// Next is when something will be due that is not due yet; zero if nothing, or
	// if After is set.
	Next time.Time
}
