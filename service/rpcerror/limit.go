package rpcerror

import "connectrpc.com/connect/v2"

// Reasons of errors about other limits for callers. They are stable: callers branch on them.
const (
	// ReasonLimitsDisabled is a call about other limits at a gateway that has no ledger to
	// keep them in.
	ReasonLimitsDisabled = "LIMIT_OVERRIDES_DISABLED"
	// ReasonLimitsUnavailable is a call about other limits for which the ledger does not
	// answer.
	ReasonLimitsUnavailable = "LIMIT_OVERRIDES_UNAVAILABLE"
	// ReasonLimitOverrideLimit is an override beyond those that are kept.
	ReasonLimitOverrideLimit = "LIMIT_OVERRIDE_LIMIT"
	// ReasonLimitOverrideNotFound is the end of an override that is not there.
	ReasonLimitOverrideNotFound = "LIMIT_OVERRIDE_NOT_FOUND"
)

// limitOutcomes are the codes and messages of the errors about other limits.
var limitOutcomes = map[string]outcome{
	ReasonCallerNotFound:        holdOutcomes[ReasonCallerNotFound],
	ReasonLimitsDisabled:        {connect.CodeFailedPrecondition, "this gateway gives no other limits: it has no ledger to remember them in, for neither leases.path is configured, nor leases.organization with cache.redis_url"},
	ReasonLimitsUnavailable:     {connect.CodeUnavailable, "the ledger does not answer; make the same call again"},
	ReasonLimitOverrideLimit:    {connect.CodeResourceExhausted, "as many callers have other limits as may: end one, or change the policy"},
	ReasonLimitOverrideNotFound: {connect.CodeNotFound, "the caller has no other limits than the policy's"},
}

// OfLimit makes the error of one of the reasons about other limits, with its code and
// message. The cause is for the log. For another reason the error is internal.
func OfLimit(reason string, cause error) *Error { return of(limitOutcomes, reason, cause) }

// of makes the error of a reason from a table of them. For one that is not there the error
// is internal.
func of(outcomes map[string]outcome, reason string, cause error) *Error {
	row, ok := outcomes[reason]
	if !ok {
		return &Error{Code: connect.CodeInternal, Reason: ReasonInternal, Message: "internal error", Cause: cause}
	}
	return &Error{Code: row.code, Reason: reason, Message: row.message, Cause: cause}
}
