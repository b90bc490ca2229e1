package broker

import (
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
)

// follow is the state into which a lease follows its credential; its own where there is
// nothing to follow yet. credential is nil where the ledger has none: it was never
// written down, so nothing was asked for, or it has ended and is forgotten.
func follow(row, credential *lease.Record, at time.Time) (next lease.State, cause string) {
	switch row.State {
	case lease.Intent:
		switch {
		case credential == nil, open(credential), credential.State.Final():
			// Nobody asked, nobody waits for the answer, or there is none.
			return lease.Aborted, CauseNotSent
		case credential.State == lease.Doubtful, credential.State == lease.Revoking:
			return lease.Doubtful, CauseAnswerLost
		}
	case lease.Doubtful:
		switch {
		case credential == nil, credential.State == lease.Aborted, credential.State == lease.Expired:
			if !at.Before(row.UpstreamExpires) {
				return lease.Aborted, CauseAnswerLost
			}
		case credential.State == lease.Revoking, credential.State == lease.Revoked:
			return lease.Revoking, CauseAnswerLost
		}
	case lease.Revoking:
		// An open credential is that of others, which this lease has left.
		if credential == nil || credential.State.Final() || open(credential) {
			return lease.Revoked, row.Cause
		}
	case lease.Issued, lease.Active:
		switch {
		case !at.Before(row.UpstreamExpires):
			return lease.Expired, CauseExpired
		case credential == nil, credential.State == lease.Expired, credential.State == lease.Aborted:
		case credential.State == lease.Revoked, credential.State == lease.Revoking:
			return lease.Revoking, CauseGone // Somebody else has deleted the key.
		}
	case lease.Expired, lease.Revoked, lease.Aborted, lease.Orphan:
	}
	return row.State, row.Cause
}
