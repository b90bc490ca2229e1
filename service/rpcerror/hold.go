package rpcerror

import "connectrpc.com/connect/v2"

// Reasons of errors about holds of callers. They are stable: callers branch on them.
const (
	// ReasonCallerHeld is a call of a caller that is held.
	ReasonCallerHeld = "CALLER_HELD"
	// ReasonHoldsDisabled is a call about holds at a gateway that has no ledger to keep
	// them in.
	ReasonHoldsDisabled = "HOLDS_DISABLED"
	// ReasonHoldsUnavailable is a call about holds for which the ledger does not answer.
	ReasonHoldsUnavailable = "HOLDS_UNAVAILABLE"
	// ReasonHoldLimit is a hold beyond those that are kept.
	ReasonHoldLimit = "HOLD_LIMIT"
	// ReasonCallerNotFound is a hold of a caller that the policy does not have.
	ReasonCallerNotFound = "CALLER_NOT_FOUND"
	// ReasonHoldNotFound is the release of a caller that is not held.
	ReasonHoldNotFound = "HOLD_NOT_FOUND"
)

// holdOutcomes are the codes and messages of the errors about holds.
var holdOutcomes = map[string]outcome{
	ReasonCallerHeld:       {connect.CodePermissionDenied, "an operator of the gateway holds the caller: it may not call until it is released"},
	ReasonHoldsDisabled:    {connect.CodeFailedPrecondition, "this gateway holds no callers: it has no ledger to remember them in, for neither leases.path is configured, nor leases.organization with cache.redis_url"},
	ReasonHoldsUnavailable: {connect.CodeUnavailable, "the ledger does not answer; make the same call again"},
	ReasonHoldLimit:        {connect.CodeResourceExhausted, "as many callers are held as may be: release one, or take the caller out of the policy"},
	ReasonCallerNotFound:   {connect.CodeNotFound, "the policy has no caller of this name"},
	ReasonHoldNotFound:     {connect.CodeNotFound, "the caller is not held"},
}

// OfHold makes the error of one of the reasons about holds, with its code and message. The
// cause is for the log. For another reason the error is internal.
func OfHold(reason string, cause error) *Error { return of(holdOutcomes, reason, cause) }
