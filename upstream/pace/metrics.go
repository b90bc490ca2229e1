package pace

import "time"

// Metrics are told what happens. The methods may be called from any goroutine
// and do not block. Names of buckets are as bounded as the buckets are.
type Metrics interface {
	// Granted counts a call that was let go, after it had waited.
	Granted(bucket string, class Class, waited time.Duration)
	// Exhausted counts a call that was refused.
	Exhausted(bucket string, class Class, reason Reason)
	// Left counts a call whose context ended while it waited.
	Left(bucket string, class Class)
	// Limited counts a call that the other side refused. lowered tells whether
	// the rate was lowered for it.
	Limited(bucket string, lowered bool)
	// Shared is told when the shared budget is lost and when it is back.
	Shared(available bool)
}

// nowhere counts nothing.
type nowhere struct{}

// Granted implements [Metrics].
func (nowhere) Granted(string, Class, time.Duration) {}

// Exhausted implements [Metrics].
func (nowhere) Exhausted(string, Class, Reason) {}

// Left implements [Metrics].
func (nowhere) Left(string, Class) {}

// Limited implements [Metrics].
func (nowhere) Limited(string, bool) {}

// Shared implements [Metrics].
func (nowhere) Shared(bool) {}
