package adminkey

import (
	"fmt"
)

// Reason says why a command was refused.
type Reason uint8

// The reasons.
const (
	// Unavailable: the ledger does not answer.
	Unavailable Reason = iota + 1
	// NoSecrets: the ledger keeps no secrets, and the new key would be lost by a crash.
	NoSecrets
	// NotReplaceable: the key is not in a file that the gateway may replace.
	NotReplaceable
	// NotFound: the upstream's list does not tell which key the gateway uses.
	NotFound
	// Running: another rotation is under way.
	Running
	// OtherRequest: the request was made before, and said something else; or it was
	// answered by a rotation that is not the latest any more.
	OtherRequest
	// NoUpstream: the upstream did not answer, or refused.
	NoUpstream
)

// Error is the error of a command that was refused. Nothing was changed.
type Error struct {
	Reason Reason
	// Words say more about the reason; empty where there is no more.
	Words string
	Err   error
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("adminkey: refused (%d) %s: %v", e.Reason, e.Words, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
