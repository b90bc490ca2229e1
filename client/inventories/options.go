package inventories

import (
	"time"

	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
)

const (
	// DefaultAttempts is how many streams in a row may bring nothing before a walk is
	// given up.
	DefaultAttempts = 6
	// DefaultSilence is how long a stream may say nothing before it counts as cut off.
	// A gateway says every second how far it is.
	DefaultSilence = 30 * time.Second
	// MaxStreams is how many streams a walk has, whatever they bring.
	MaxStreams = 1000
	// MaxHeld is how many pages a walk holds back until a token comes, of which a
	// gateway sends one after 250 pages. It passes on what is more, and cannot rule
	// out then that it comes again.
	MaxHeld = 4096
	// MaxFailures is how many failures an [*IncompleteError] holds.
	MaxFailures = 1000

	firstPause, longestPause = 250 * time.Millisecond, 30 * time.Second
)

// Option changes how [Walk] walks.
type Option func(*options)

type options struct {
	attempts   int
	silence    time.Duration
	first      time.Duration
	longest    time.Duration
	onProgress func(*inventoryv1.Progress)
	onFailure  func(*inventoryv1.Failure)
}

func withOptions(opts []Option) options {
	o := options{DefaultAttempts, DefaultSilence, firstPause, longestPause, func(*inventoryv1.Progress) {}, func(*inventoryv1.Failure) {}}
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// Attempts is how many streams in a row may bring nothing. A value below 1 means 1.
func Attempts(n int) Option {
	return func(o *options) { o.attempts = max(n, 1) }
}

// Silence is how long a stream may say nothing before it counts as cut off, as that of
// a replica that hangs. It has to be longer than a second.
func Silence(d time.Duration) Option {
	return func(o *options) { o.silence = d }
}

// Pauses are the shortest and the longest time to wait ahead of a stream, unless the
// gateway asks for a longer one. They grow while streams bring nothing.
func Pauses(shortest, longest time.Duration) Option {
	return func(o *options) {
		o.first = max(shortest, 0)
		o.longest = max(o.first, longest)
	}
}

// OnProgress gets every message of progress. Its counts are those of the stream that it
// came in, and begin anew with each. It is called on the goroutine of the loop.
func OnProgress(f func(*inventoryv1.Progress)) Option {
	return func(o *options) { o.onProgress = f }
}

// OnFailure gets every read that failed, when it does: with each stream anew, and also
// where the read succeeds later. It is called on the goroutine of the loop.
func OnFailure(f func(*inventoryv1.Failure)) Option {
	return func(o *options) { o.onFailure = f }
}
