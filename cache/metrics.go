package cache

// Event is something that is counted.
type Event uint8

// The events. Each is counted once per call of a store, but for [Alert] ones,
// which come on top of the Miss that they are.
const (
	// Hit is a Load that found a fresh entry.
	Hit Event = iota
	// Stale is a Load that found an entry that is no longer fresh.
	Stale
	// Miss is a Load that found nothing valid.
	Miss
	// Saved is a Save that stored its entry.
	Saved
	// Refused is a Save that came after an invalidation.
	Refused
	// Invalidation is an Open, a close or a Purge.
	Invalidation
	// Failed is a call that failed: see ErrUnavailable.
	Failed
	// WrongKey is an alert: an entry was found under a name that is not its own.
	WrongKey
	// Malformed is an alert: an entry could not be read.
	Malformed
	// Tampered is an alert: an entry could not be decrypted.
	Tampered
	// Gap is a time in which invalidations by other replicas may have been
	// missed, counted at its end.
	Gap
	// Coalesced is a call that got the answer of another's flight.
	Coalesced
	// Events is how many there are.
	Events
)

// String returns the event's name, as a metric's label has it.
func (e Event) String() string {
	names := []string{
		"hit", "stale", "miss", "saved", "refused", "invalidation", "failed",
		"wrong_key", "malformed", "tampered", "gap", "coalesced",
	}
	if int(e) < len(names) {
		return names[e]
	}
	return "unknown"
}

// Alert tells whether the event should not happen at all.
func (e Event) Alert() bool { return e == WrongKey || e == Malformed || e == Tampered }

// The stores for which [Metrics] counts.
const (
	StoreMemory = "memory"
	StoreRedis  = "redis"
	StoreSealed = "sealed"
	StoreFlight = "flight"
)

// Metrics counts events. Its method may be called from any goroutine and does
// not block.
type Metrics interface {
	// Count counts one event in a store, which is one of the constants above.
	Count(store string, event Event)
}

// discard is Metrics that counts nothing.
type discard struct{}

// Count implements [Metrics].
func (discard) Count(string, Event) {}

// OrDiscard returns m, or Metrics that counts nothing if m is nil.
func OrDiscard(m Metrics) Metrics {
	if m == nil {
		return discard{}
	}
	return m
}
