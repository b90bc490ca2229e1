package leases

import (
	"errors"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/broker"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// reasons are those of refusals that have one each.
var reasons = map[broker.Reason]string{
	broker.NoLease:     rpcerror.ReasonLeaseNotFound,
	broker.Over:        rpcerror.ReasonLeaseOver,
	broker.InProgress:  rpcerror.ReasonLeaseInProgress,
	broker.Doubtful:    rpcerror.ReasonLeaseDoubtful,
	broker.SecretLost:  rpcerror.ReasonLeaseSecretLost,
	broker.Limited:     rpcerror.ReasonLeaseLimit,
	broker.Overloaded:  rpcerror.ReasonLeaseLimit,
	broker.Unavailable: rpcerror.ReasonLeasesUnavailable,
}

// toCaller is the error of a call.
func toCaller(err error) error {
	refused, ok := errors.AsType[*broker.Error](err)
	if !ok {
		return err
	}
	switch refused.Reason {
	case broker.NotMade:
		return notMade(refused)
	case broker.NoRole:
		return rpcerror.InvalidField("role", "the policy has no such role any more", err)
	case broker.NotStatic:
		return rpcerror.InvalidField("role", "a static role has a key and no leases, and no other role has that", err)
	case broker.OtherRequest:
		return rpcerror.InvalidField("request_id", "the request was made before, with another holder or other labels", err)
	default: // The others have reasons of their own.
	}
	e := rpcerror.OfLease(reasons[refused.Reason], refused.RetryAfter, err)
	switch refused.Reason {
	case broker.Limited:
		e.Message = limitMessages[refused.Limit]
		e.Metadata = map[string]string{"limit": string(refused.Limit)}
	case broker.Overloaded:
		e.Message = "revocations wait for longer than the lease would live"
		e.Metadata = map[string]string{"limit": "revocations"}
	default: // The message says it all.
	}
	if refused.LeaseID != "" {
		if e.Metadata == nil {
			e.Metadata = make(map[string]string)
		}
		e.Metadata["lease_id"] = refused.LeaseID
	}
	return e
}

// limitMessages say which limit is reached.
var limitMessages = map[lease.Limit]string{
	lease.RoleLive:    "the role has as many keys as it may have at a time",
	lease.CallerLive:  "the caller has as many leases as it may have at a time",
	lease.CallerMints: "the caller has asked for as many leases as it may within an hour",
}

// notMade is the error of a lease whose key was not made: the upstream's own where it
// refused, so that its caller learns what was wrong, and that of the budget where it was
// not sent.
func notMade(refused *broker.Error) error {
	if up, ok := errors.AsType[*upstream.Error](refused.Err); ok && up.Kind != upstream.OutcomeUnknown && up.Kind != upstream.NotFound {
		return up
	}
	if known, ok := errors.AsType[*rpcerror.Error](refused.Err); ok && known.Done == nil {
		return known
	}
	e := rpcerror.OfLease(rpcerror.ReasonLeaseNotMade, refused.RetryAfter, refused)
	if up, ok := errors.AsType[*upstream.Error](refused.Err); ok && up.Kind == upstream.NotFound {
		e.Code = connect.CodeFailedPrecondition
		e.Message = "no key was made for the request: the upstream does not have the project of the role"
	}
	if refused.RetryAfter > 0 {
		e.Code = connect.CodeUnavailable
		e.Message = "no key was made for the request; make the same call again"
		e.RetryAfter = max(e.RetryAfter, time.Second)
	}
	return e
}
