package recent

import (
	"time"

	"github.com/admin-gateway/admin-gateway/internal/peernet"
	"github.com/admin-gateway/admin-gateway/service/audit"
)

// DefaultBytes is how many bytes of records a memory keeps by default.
const DefaultBytes = 16 << 20

// slowCall is from when on a call is kept among those that somebody will ask about.
const slowCall = time.Second

// Options are the settings of a [Memory].
type Options struct {
	// Bytes is how many bytes of records are kept; at least a few blocks of 8 KiB are.
	Bytes int
	// Slow is from when on a call is kept with the refused ones; a second if not positive.
	Slow time.Duration
}

// Memory keeps the records of the last calls of this process. It may be used by many
// goroutines. Keep costs a copy of the lines under a lock.
//
// There are three pools, so that calls which nobody asks about do not push out those which
// somebody does: half of the bytes are for calls of callers that were refused, failed, were
// slow or change something, a quarter is for all other calls of theirs, and a quarter for
// calls of strangers. In each, callers have equal shares, and so have the networks of
// strangers.
type Memory struct {
	slow                          time.Duration
	notable, ordinary, ofStranger pool
	strangers                     strangers
	began                         time.Time
}

// New makes a Memory.
func New(o Options) *Memory {
	if o.Slow <= 0 {
		o.Slow = slowCall
	}
	blocks := o.Bytes / blockBytes
	m := &Memory{slow: o.Slow, began: time.Now()}
	m.notable.most = max(blocks/2, 1)
	m.ordinary.most = max(blocks/4, 1)
	m.ofStranger.most = max(blocks/4, 1)
	return m
}

// Keep implements [audit.Memory].
func (m *Memory) Keep(r *audit.Record, lines []byte) {
	switch {
	case r.Caller == "" && r.Agent == "":
		at := peernet.Of(r.Peer)
		if r.ForwardedFor != "" {
			at = peernet.OfHost(r.ForwardedFor)
		}
		m.ofStranger.keep(at.String(), r.Time, lines)
		if r.Decision == audit.DecisionUnauthenticated {
			m.strangers.add(at, r)
		}
	case m.isNotable(r):
		m.notable.keep(r.Caller, r.Time, lines)
	default:
		m.ordinary.keep(r.Caller, r.Time, lines)
	}
}

func (m *Memory) isNotable(r *audit.Record) bool {
	return r.Write || r.Event != audit.EventCall || r.Denied() || r.Code != "ok" || r.Duration >= m.slow
}
