package adminkey

import (
	"context"
	"fmt"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
)

// Upstream is the Admin API, as far as a rotation needs it. The calls are made with the
// key that is given. Errors are [*CallError]s.
type Upstream interface {
	// Create makes an admin key, with one attempt. An error whose outcome is Unknown
	// means that it may have been made.
	Create(ctx context.Context, caller string, with lease.Secret, name string) (Made, error)
	// List returns all admin keys of the organization.
	List(ctx context.Context, caller string, with lease.Secret) ([]Found, error)
	// Get returns one admin key. The outcome Gone means that there is none.
	Get(ctx context.Context, caller string, with lease.Secret, id string) (Found, error)
	// Delete deletes an admin key. The outcome Gone means that there is none.
	Delete(ctx context.Context, caller string, with lease.Secret, id string) error
	// Reads are the names of the reads by which two keys are compared.
	Reads() []string
	// May tells whether a key may make one of these reads, by making it.
	May(ctx context.Context, caller string, with lease.Secret, read string) (bool, error)
}

// Made is an admin key that was made.
type Made struct {
	ID     string
	Secret lease.Secret
}

// Found is an admin key that exists.
type Found struct {
	ID, Name string
	// Redacted is its secret, as the upstream shows it to people.
	Redacted string
	// LastUsed is when it was used last; zero where the upstream does not say.
	LastUsed time.Time
}

// Outcome says what is known of a call that failed.
type Outcome uint8

// The outcomes.
const (
	// Unknown: it may have been made.
	Unknown Outcome = iota
	// NotMade: nothing was done, and the same call may succeed later.
	NotMade
	// Refused: nothing was done, and the same call is going to be refused again.
	Refused
	// Gone: what it is about does not exist.
	Gone
)

// CallError is the error of a call upstream.
type CallError struct {
	Outcome Outcome
	// RetryAfter is how long to wait before the next call; zero where nobody says.
	RetryAfter time.Duration
	// Words say for operators what was wrong, without any detail of the upstream's.
	Words string
	Err   error
}

// Error implements error.
func (e *CallError) Error() string { return fmt.Sprintf("adminkey: %s: %v", e.Words, e.Err) }

// Unwrap returns the cause.
func (e *CallError) Unwrap() error { return e.Err }

// Own is the admin key of this process: a file.
type Own interface {
	// Key is the key that calls are made with from now on.
	Key(ctx context.Context) (lease.Secret, error)
	// Replaceable says with a [*FileError] why the key cannot be replaced; nil: it can.
	Replaceable() error
	// Replace puts next in the place of current, durably: after a crash at any moment
	// one of the two is there, whole. It changes nothing where the key is neither.
	Replace(ctx context.Context, current, next lease.Secret) error
}

// FileError is the error of a key that cannot be replaced.
type FileError struct {
	// Words say why, without a path or a key.
	Words string
	Err   error
}

// Error implements error.
func (e *FileError) Error() string {
	if e.Err == nil {
		return "adminkey: " + e.Words
	}
	return fmt.Sprintf("adminkey: %s: %v", e.Words, e.Err)
}

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }
