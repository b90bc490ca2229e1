package accounting

import (
	"strconv"
	"time"

	"connectrpc.com/connect/v2"
)

// CacheOutcome is how a read ended, for records, metrics and the header
// Cache-Status.
type CacheOutcome uint8

// The outcomes. A call that is not a read, or was not answered, has none.
const (
	// CacheHit was answered by a stored answer.
	CacheHit CacheOutcome = iota + 1
	// CacheStale was answered by a stored answer that was no longer fresh.
	CacheStale
	// CacheMiss was answered by the upstream.
	CacheMiss
	// CacheCoalesced got the answer of a fetch that another call had begun.
	CacheCoalesced
	// CacheBypass is a read whose answers are not stored.
	CacheBypass
	// CacheError was not answered.
	CacheError
	// CacheOutcomes is one more than the last.
	CacheOutcomes
)

// String is a short stable word, "" for no outcome.
func (o CacheOutcome) String() string {
	return [...]string{"", "hit", "stale", "miss", "coalesced", "bypass", "error"}[o]
}

// Cache is how the read cache answered.
type Cache struct {
	// Outcome is for records and metrics.
	Outcome CacheOutcome
	// Status is the value of Cache-Status (RFC 9211) behind the cache's name; ""
	// for none.
	Status string
	// Stored says that the answer may be stored: Age, TTL and Ignored are set.
	Stored bool
	// Age is how long ago the upstream was asked.
	Age time.Duration
	// TTL is how long the answer is fresh from now on; negative for a stale one.
	TTL time.Duration
	// ForwardStatus is the HTTP status of the upstream, where it refused; else 0.
	ForwardStatus int
	// Ignored says that the caller's Cache-Control was ignored, because the caller
	// lacks the permission for it.
	Ignored bool
	// Isolated says that other replicas may have made the answer stale, and this one
	// has not heard of it.
	Isolated bool
}

// cacheName begins Cache-Status.
const cacheName = "admin-gateway; "

// SetHeaders sets Age (RFC 9111) and Cache-Status (RFC 9211). It allocates twice.
func (c *Cache) SetHeaders(header *connect.Header) {
	if c.Status == "" {
		return
	}
	var room [128]byte
	b := room[:0]
	if c.Stored {
		b = strconv.AppendInt(b, int64(c.Age/time.Second), 10)
	}
	end := len(b)
	b = append(append(b, cacheName...), c.Status...)
	if c.ForwardStatus != 0 {
		b = strconv.AppendInt(append(b, "; fwd-status="...), int64(c.ForwardStatus), 10)
	}
	if c.Stored {
		b = strconv.AppendInt(append(b, "; ttl="...), int64(c.TTL/time.Second), 10)
		b = append(b, c.detail()...)
	}
	text := string(b)
	values := []string{text[:end], text[end:]}
	if c.Stored {
		header.SetValues("Age", values[:1:1])
	}
	header.SetValues("Cache-Status", values[1:])
}

// detail is the parameter of Cache-Status for what has none of its own.
func (c *Cache) detail() string {
	switch {
	case c.Isolated && c.Ignored:
		return `; detail="isolated, cache-control-ignored"`
	case c.Isolated:
		return "; detail=isolated"
	case c.Ignored:
		return "; detail=cache-control-ignored"
	default:
		return ""
	}
}
