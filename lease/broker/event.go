package broker

import "github.com/admin-gateway/admin-gateway/lease"

// The kinds of events of leases and credentials, beside [lease.EventCreated].
const (
	EventIssued       lease.EventKind = "issued"
	EventAcknowledged lease.EventKind = "acknowledged"
	EventRenewed      lease.EventKind = "renewed"
	EventRotated      lease.EventKind = "rotated"
	EventEnding       lease.EventKind = "ending"
	EventEnded        lease.EventKind = "ended"
	// EventSeat is of a credential: a lease has taken a seat, or left one.
	EventSeat lease.EventKind = "seat"
	// EventKept is of what the gateway keeps for itself: an attempt, a secret erased.
	EventKept lease.EventKind = "kept"
)

// The causes for which a lease ends, as [lease.Record.Cause] has them.
const (
	CauseExpired        = "expired"
	CauseRevokedByOwner = "revoked_by_owner"
	CauseRevokedByOther = "revoked_by_other"
	CauseRotated        = "rotated"
	CauseSecretLost     = "secret_lost"
	CauseNotSent        = "not_sent"
	CauseRefused        = "refused"
	CauseAnswerLost     = "answer_lost"
	CauseNotRecorded    = "not_recorded"
	// CauseUnused is of a credential that no lease has any more.
	CauseUnused = "unused"
	// CauseGone is of a key that somebody else has deleted.
	CauseGone = "gone"
)
