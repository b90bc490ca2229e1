package pace

import "time"

// Metrics counts events. Its methods may be called from any goroutine and do not
// block. The number of bucket names is bounded by [Bounds].
type Metrics interface {
	// Granted counts a call that was granted, and its wait.
	Granted(bucket string, class Class, waited time.Duration)
	// Exhausted counts a call that was refused.
	Exhausted(bucket string, class Class, reason Reason)
	// Left counts a call whose context ended while it waited.
	Left(bucket string, class Class)
	// Demoted counts a revocation that was beyond its flow's share, and waited as
	// an interactive call. Its wait and its end are counted as those of one.
	Demoted(bucket string)
	// Limited counts a call that the upstream refused. lowered reports whether
	// the refusal lowered the rate.
	Limited(bucket string, lowered bool)
	// Shared is called when the shared budget is lost and when it is back.
	Shared(available bool)
}

// Account is told on whose behalf calls wait: the flow that began each, by its key. Its
// methods may be called from any goroutine and do not block.
type Account interface {
	// Waits is called when a call begins to wait. Spent follows.
	Waits(key, bucket string)
	// Spent is called when the wait of a call is over, with whether it was granted.
	Spent(key, bucket string, waited time.Duration, granted bool)
}

// discard counts nothing.
type discard struct{}

// Waits implements [Account].
func (discard) Waits(string, string) {}

// Spent implements [Account].
func (discard) Spent(string, string, time.Duration, bool) {}

// Granted implements [Metrics].
func (discard) Granted(string, Class, time.Duration) {}

// Exhausted implements [Metrics].
func (discard) Exhausted(string, Class, Reason) {}

// Left implements [Metrics].
func (discard) Left(string, Class) {}

// Demoted implements [Metrics].
func (discard) Demoted(string) {}

// Limited implements [Metrics].
func (discard) Limited(string, bool) {}

// Shared implements [Metrics].
func (discard) Shared(bool) {}
