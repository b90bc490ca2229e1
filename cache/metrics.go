package cache

// Event is a kind of event that is counted.
type Event uint8

// The events. Each is counted once per call of a store. Events with
// [Event.Alert] are counted in addition to the Miss that they cause.
const (
	// Hit is a Load that found a fresh entry.
	Hit Event = iota
	// Stale is a Load that found a stale entry.
	Stale
	// Miss is a Load that found no valid entry.
	Miss
	// Saved is a Save that stored its entry.
	Saved
	// Refused is a Save that an invalidation came before.
	Refused
	// Invalidation is an Open, a close or a Purge.
	Invalidation
	// Failed is a call that failed: see ErrUnavailable.
	Failed
	// WrongKey is an alert: the entry found is that of another key.
	WrongKey
	// Malformed is an alert: an entry could not be read.
	Malformed
	// Tampered is an alert: an entry could not be decrypted.
	Tampered
	// Gap is a period in which invalidations by other replicas may have been missed.
	// It is counted at its end.
	Gap
	// Coalesced is a call that joined a flight.
	Coalesced
	// Events is the number of events.
	Events
)

// String returns the name of the event, which is a metric label.
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

// Alert reports whether the event points to a fault or an attack.
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
