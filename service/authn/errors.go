package authn

import "fmt"

// Reason says why a call was not authenticated. The set is closed and small: a
// reason may be the label of a metric. It is for the operator; a caller gets
// the same error whatever the reason.
type Reason string

// The reasons, complete.
const (
	// ReasonNoCredential means that the call brought none.
	ReasonNoCredential Reason = "no_credential" //nolint:gosec // The name of a reason, not a credential.
	// ReasonMalformed means that the Authorization header, or the JWT in it, is
	// not of a form that is accepted.
	ReasonMalformed Reason = "malformed"
	// ReasonUnknownToken means that no caller has this token.
	ReasonUnknownToken Reason = "unknown_token"
	// ReasonExpiredToken means that the token is a caller's, and has expired.
	ReasonExpiredToken Reason = "expired_token"
	// ReasonRevokedToken means that the token of a session was revoked.
	ReasonRevokedToken Reason = "revoked_token"
	// ReasonUnknownIssuer means that the JWT's issuer is not configured.
	ReasonUnknownIssuer Reason = "unknown_issuer"
	// ReasonBadSignature means that no key of the issuer made the JWT's signature.
	ReasonBadSignature Reason = "bad_signature"
	// ReasonBadAlgorithm means that the JWT's algorithm is not in the issuer's list.
	ReasonBadAlgorithm Reason = "bad_algorithm"
	// ReasonBadAudience means that the JWT is meant for another audience.
	ReasonBadAudience Reason = "bad_audience"
	// ReasonExpired means that the JWT has expired.
	ReasonExpired Reason = "expired"
	// ReasonNotYetValid means that the JWT is not valid yet.
	ReasonNotYetValid Reason = "not_yet_valid"
	// ReasonNoKeys means that the JWT's key is not known and that the issuer
	// cannot be asked for it now, or that the keys of sessions cannot be read.
	ReasonNoKeys Reason = "no_keys"
	// ReasonUnknownSubject means that the JWT is valid and its subject is not a
	// caller.
	ReasonUnknownSubject Reason = "unknown_subject"
	// ReasonUnknownCertificate means that the client certificate belongs to no
	// caller.
	ReasonUnknownCertificate Reason = "unknown_certificate"
	// ReasonWithdrawn means that the credential was a caller's when the call came, and
	// has ceased to be while the call went on.
	ReasonWithdrawn Reason = "withdrawn"
	// ReasonAmbiguous means that the client certificate is that of several callers.
	ReasonAmbiguous Reason = "ambiguous"
)

// Unverified begins the id of a credential that anybody may have made up.
const Unverified = "unverified:"

// Error says that a call was not authenticated. Its text holds nothing that came
// with the call: no token, no claim, no name from a certificate.
type Error struct {
	// Reason is why, in one word.
	Reason Reason
	// Presented is the id of the credential that was presented, in the form of
	// [Identity].CredentialID, for the record and never for the caller; "" where it has
	// none. It is no secret, it has any length and any characters, and it says nothing of
	// who calls: the id of a JWT that was not verified begins with [Unverified].
	Presented string
	// Err is the cause, for the log; may be nil. It holds nothing that came with
	// the call either. It is the context's error when the caller gave up waiting.
	Err error
}

// Error returns the reason, and the cause where there is one.
func (e *Error) Error() string {
	if e.Err == nil {
		return "not authenticated: " + string(e.Reason)
	}
	return "not authenticated: " + string(e.Reason) + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func refuse(reason Reason) *Error { return &Error{Reason: reason} }

// refused refuses a credential that has an id.
func refused(reason Reason, presented string) *Error {
	return &Error{Reason: reason, Presented: presented}
}

// Fault is an error in the credentials of a caller, as configured.
type Fault struct { //nolint:errname // "Fault" is an error of the configuration; "Error" is one of a call.
	// Caller is the index of the caller in the list.
	Caller int
	// Credential is the index of the credential of that caller; -1 when the
	// fault is in the caller itself.
	Credential int
	// Field is the key at fault, as the policy file spells it, such as
	// "token_sha256" or "jwt.issuer"; empty when it is in none of them.
	Field string
	// Reason says what is wrong with it. It holds no digest.
	Reason string
}

// Error returns where the fault is, and what it is.
func (f *Fault) Error() string {
	text := fmt.Sprintf("callers[%d]", f.Caller)
	if f.Credential >= 0 {
		text += fmt.Sprintf(".authenticate[%d]", f.Credential)
	}
	if f.Field != "" {
		text += "." + f.Field
	}
	return text + ": " + f.Reason
}
