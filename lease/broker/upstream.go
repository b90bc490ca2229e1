package broker

import (
	"context"
	"fmt"
	"iter"
	"time"
)

// Urgency says how a call waits for the upstream's budget.
type Urgency uint8

// The urgencies, the most urgent first.
const (
	// Urgent is a revocation that goes before everything.
	Urgent Urgency = iota + 1
	// Revoke is a revocation.
	Revoke
	// Mint makes a key for which a caller waits.
	Mint
	// Background is what nobody waits for.
	Background
	// Idle is what is done with budget that nobody else wants.
	Idle
)

// Errand says on whose behalf a call is made, for the queue and for the record.
type Errand struct {
	// Caller is whose lease it is; empty for the gateway's own.
	Caller string
	// Lease, Role and Holder are those of the lease, Cause why the call is made.
	Lease, Role, Holder, Cause string
	// Urgency is how it waits.
	Urgency Urgency
}

// NewKey is a key to make.
type NewKey struct {
	ProjectID, ServiceAccountID string
	// Name is the marker.
	Name string
	// Scopes restrict it; none means everything.
	Scopes []string
	// Expires is when the upstream ends it. The seconds are computed when the call goes
	// out, so that a wait prolongs nothing.
	Expires time.Time
}

// MadeKey is a key that was made.
type MadeKey struct {
	ID string
	// Secret is the key itself.
	Secret string
	// Expires is when the upstream says that it ends it; zero where it does not say.
	Expires time.Time
}

// FoundKey is a key that a list of the upstream has.
type FoundKey struct {
	ProjectID, ServiceAccountID, ID, Name string
	Created                               time.Time
	// Expires is zero for one that does not expire, LastUsed for one that was not used.
	Expires, LastUsed time.Time
}

// FoundAccount is a service account that a list of the upstream has.
type FoundAccount struct {
	ProjectID, ID, Name string
	Created             time.Time
}

// Outlook is what a budget promises.
type Outlook struct {
	// PerMinute is the present rate; 0 where nothing paces.
	PerMinute float64
	// Waiting is how many calls wait for it.
	Waiting int
}

// Upstream is what a broker asks of the upstream. Each method makes one call at most, or
// one for each page of a list, and no write twice. Its errors are [*UpstreamError]s.
type Upstream interface {
	// CreateKey makes a key on a service account.
	CreateKey(ctx context.Context, errand Errand, key NewKey) (MadeKey, error)
	// Prolong moves the end of a key, and returns the one that the upstream says.
	Prolong(ctx context.Context, errand Errand, projectID, keyID string, until time.Time) (time.Time, error)
	// DeleteKey deletes a key.
	DeleteKey(ctx context.Context, errand Errand, projectID, keyID string) error
	// CreateAccount makes a service account without a key and without a role.
	CreateAccount(ctx context.Context, errand Errand, projectID, name string) (id string, err error)
	// EnableAccount gives an account its role, without which its keys can do nothing.
	EnableAccount(ctx context.Context, errand Errand, projectID, id string) error
	// DeleteAccount deletes a service account with its keys.
	DeleteAccount(ctx context.Context, errand Errand, projectID, id string) error
	// Keys walks the keys of a project, as they are now. It ends with the first error.
	Keys(ctx context.Context, errand Errand, projectID string) iter.Seq2[FoundKey, error]
	// Accounts walks the service accounts of a project likewise.
	Accounts(ctx context.Context, errand Errand, projectID string) iter.Seq2[FoundAccount, error]
	// Revocations is the outlook of the budget that revocations of keys spend.
	Revocations() Outlook
}

// Outcome is what is known of a call that failed.
type Outcome uint8

// The outcomes.
const (
	// NotSent: it was not sent. Nothing was done.
	NotSent Outcome = iota + 1
	// Refused: the upstream refused it. Nothing was done.
	Refused
	// Gone: what it was about is not there.
	Gone
	// Unknown: nobody knows whether it was done.
	Unknown
)

// String is the name of the outcome, as a label of a metric has it.
func (o Outcome) String() string {
	switch o {
	case NotSent:
		return "not_sent"
	case Refused:
		return "refused"
	case Gone:
		return "gone"
	case Unknown:
		return "unknown"
	}
	return "done"
}

// UpstreamError is a call that failed.
type UpstreamError struct {
	Outcome Outcome
	// RetryAfter is when it may be tried again; zero where nobody says.
	RetryAfter time.Duration
	// Err is the cause.
	Err error
}

// Error implements error.
func (e *UpstreamError) Error() string { return fmt.Sprintf("broker: %s: %v", e.Outcome, e.Err) }

// Unwrap returns the cause.
func (e *UpstreamError) Unwrap() error { return e.Err }
