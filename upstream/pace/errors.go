package pace

import (
	"errors"
	"fmt"
	"time"
)

// ErrClosed is the error of a call that waits when the Pacer is closed, or that
// comes later.
var ErrClosed = errors.New("pace: closed")

// ErrUnavailable is the error of a [Shared] that cannot be reached, or that is not
// called because it has just failed several times.
var ErrUnavailable = errors.New("pace: shared budget unavailable")

// Reason says why a call is refused.
type Reason uint8

// The reasons.
const (
	// TooLate is a call whose turn comes after its deadline.
	TooLate Reason = iota + 1
	// QueueFull is a call for whose flow there was no room in its bucket.
	QueueFull
)

// String returns the name of the reason, as a metric's label has it.
func (r Reason) String() string {
	switch r {
	case TooLate:
		return "too_late"
	case QueueFull:
		return "queue_full"
	default:
		return "unknown"
	}
}

// Exhausted is the error of a call that cannot be made in time. It spent nothing.
type Exhausted struct { //nolint:errname // pace.Exhausted says it
	// Bucket is the bucket without budget.
	Bucket string
	// Reason says why.
	Reason Reason
	// RetryAfter is an estimate of the time after which the call would have been
	// made, behind all that go before it.
	RetryAfter time.Duration
}

// Error implements error. It contains nothing that a caller sent.
func (e *Exhausted) Error() string {
	return fmt.Sprintf("pace: no budget in %s (%s): retry after %s", e.Bucket, e.Reason, e.RetryAfter.Round(time.Millisecond))
}
