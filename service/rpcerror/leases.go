package rpcerror

import (
	"time"

	"connectrpc.com/connect/v2"
)

// Reasons of errors about leases. They are stable: callers branch on them.
const (
	// ReasonLeased is a write on a key that a lease has, or on a service account of a
	// role, by a caller that may not revoke the leases of others.
	ReasonLeased = "LEASED"
	// ReasonLeaseNotFound is a call about a lease that does not exist, or that is
	// another caller's.
	ReasonLeaseNotFound = "LEASE_NOT_FOUND"
	// ReasonLeaseOver is a call that keeps a lease that has ended or is being revoked.
	ReasonLeaseOver = "LEASE_OVER"
	// ReasonLeaseDoubtful is a request whose key may or may not have been made. The
	// gateway looks for it and deletes it.
	ReasonLeaseDoubtful = "LEASE_DOUBTFUL"
	// ReasonLeaseSecretLost is a request whose key was made and whose secret is not
	// kept. The key is revoked.
	ReasonLeaseSecretLost = "LEASE_SECRET_LOST"
	// ReasonLeaseLimit is a lease beyond a limit of its role or its caller, or beyond
	// what could be revoked in time.
	ReasonLeaseLimit = "LEASE_LIMIT"
	// ReasonLeasesUnavailable is a call for which the ledger of leases does not answer.
	ReasonLeasesUnavailable = "LEASES_UNAVAILABLE"
	// ReasonLeasesDisabled is a call about leases at a gateway that keeps none.
	ReasonLeasesDisabled = "LEASES_DISABLED"
	// ReasonLeaseNotMade is a request for which no key was made, and none will be.
	ReasonLeaseNotMade = "LEASE_NOT_MADE"
	// ReasonLeaseInProgress is a request that is being answered already.
	ReasonLeaseInProgress = "LEASE_IN_PROGRESS"
)

// leaseOutcomes are the codes and messages of the errors about leases.
var leaseOutcomes = map[string]outcome{
	ReasonLeased:            {connect.CodePermissionDenied, "the key or the service account is leased; only who may revoke the leases of others may change it"},
	ReasonLeaseNotFound:     {connect.CodeNotFound, "the caller has no such lease"},
	ReasonLeaseOver:         {connect.CodeFailedPrecondition, "the lease is over; ask for another one"},
	ReasonLeaseDoubtful:     {connect.CodeAborted, "nobody knows whether the key was made; what there is of it will be deleted: ask for another lease, with a new request_id"},
	ReasonLeaseSecretLost:   {connect.CodeAborted, "the secret of the key is not kept, and the key is revoked; ask for another lease, with a new request_id"},
	ReasonLeaseLimit:        {connect.CodeResourceExhausted, "a limit of leases is reached"},
	ReasonLeasesUnavailable: {connect.CodeUnavailable, "the ledger of leases does not answer; make the same call again"},
	ReasonLeasesDisabled:    {connect.CodeFailedPrecondition, "this gateway keeps no leases: neither Redis nor leases.path is configured"},
	ReasonLeaseNotMade:      {connect.CodeAborted, "no key was made for the request; ask for another lease, with a new request_id"},
	ReasonLeaseInProgress:   {connect.CodeUnavailable, "the request is being answered; make the same call again"},
}

// OfLease makes the error of one of the reasons about leases, with its code and
// message. The retryAfter becomes a RetryInfo; 0 means none. The cause is for the log.
// For another reason the error is internal.
func OfLease(reason string, retryAfter time.Duration, cause error) *Error {
	row, ok := leaseOutcomes[reason]
	if !ok {
		return &Error{Code: connect.CodeInternal, Reason: ReasonInternal, Message: "internal error", Cause: cause}
	}
	return &Error{Code: row.code, Reason: reason, Message: row.message, RetryAfter: retryAfter, Cause: cause}
}
