package rpcerror

import "connectrpc.com/connect/v2"

// Reasons of errors about the rotation of the admin key. They are stable: callers branch
// on them.
const (
	// ReasonRotationDisabled is a call about the admin key at a gateway that has no ledger
	// to keep a rotation in.
	ReasonRotationDisabled = "ROTATION_DISABLED"
	// ReasonRotationNeedsEncryption is a rotation whose new key could not be kept: the
	// ledger in Redis has no encryption keys.
	ReasonRotationNeedsEncryption = "ROTATION_NEEDS_ENCRYPTION"
	// ReasonRotationRunning is a rotation while another one is under way.
	ReasonRotationRunning = "ROTATION_RUNNING"
	// ReasonRotationUnavailable is a call for which the ledger does not answer.
	ReasonRotationUnavailable = "ROTATION_UNAVAILABLE"
	// ReasonAdminKeyNotReplaceable is a rotation of a key that is not in a file which the
	// gateway may replace.
	ReasonAdminKeyNotReplaceable = "ADMIN_KEY_NOT_REPLACEABLE"
	// ReasonAdminKeyNotFound is a rotation of a key that cannot be told among those of
	// the organization.
	ReasonAdminKeyNotFound = "ADMIN_KEY_NOT_FOUND"
)

// adminKeyOutcomes are the codes and messages of the errors about the admin key.
var adminKeyOutcomes = map[string]outcome{
	ReasonRotationDisabled:        {connect.CodeFailedPrecondition, "this gateway does not rotate its admin key: it has no ledger, for neither Redis nor leases.path is configured"},
	ReasonRotationNeedsEncryption: {connect.CodeFailedPrecondition, "the ledger keeps no secrets, so that a crash would lose the new key: set cache.encryption_keys"},
	ReasonRotationRunning:         {connect.CodeFailedPrecondition, "another rotation is under way"},
	ReasonRotationUnavailable:     {connect.CodeUnavailable, "the ledger does not answer; make the same call again"},
	ReasonAdminKeyNotReplaceable:  {connect.CodeFailedPrecondition, "the admin key cannot be replaced"},
	ReasonAdminKeyNotFound:        {connect.CodeFailedPrecondition, "no admin key of the organization, or more than one, has the redacted form of the gateway's; name it by key_id"},
}

// OfAdminKey makes the error of one of the reasons about the admin key, with its code and
// message. Words, if there are any, say more in the message. The cause is for the log.
// For another reason the error is internal.
func OfAdminKey(reason, words string, cause error) *Error {
	row, ok := adminKeyOutcomes[reason]
	if !ok {
		return &Error{Code: connect.CodeInternal, Reason: ReasonInternal, Message: "internal error", Cause: cause}
	}
	message := row.message
	if words != "" {
		message += ": " + words
	}
	return &Error{Code: row.code, Reason: reason, Message: message, Cause: cause}
}
