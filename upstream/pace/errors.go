package pace

import (
	"errors"
	"fmt"
	"time"
)

// ErrClosed is the error of a call that waited, or came, when the Pacer was
// closed.
var ErrClosed = errors.New("pace: closed")

// ErrUnavailable is the error of a [Shared] that cannot be reached, or that was
// not asked because it could not be reached a moment ago.
var ErrUnavailable = errors.New("pace: shared budget unavailable")

// Reason says why there is nothing left for a call.
type Reason uint8

// The reasons.
const (
	// TooLate is a call whose turn comes after its deadline.
	TooLate Reason = iota + 1
	// QueueFull is a call that found as many waiting as may wait.
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
	// Bucket is the one that has nothing left.
	Bucket string
	// Reason says why.
	Reason Reason
	// RetryAfter is when the same call is likely to be made at once, as far as
	// can be told now.
	RetryAfter time.Duration
}

// Error implements error. It repeats nothing of a caller.
func (e *Exhausted) Error() string {
	return fmt.Sprintf("pace: no budget in %s (%s): retry after %s", e.Bucket, e.Reason, e.RetryAfter.Round(time.Millisecond))
}
