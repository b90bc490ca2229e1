package sandbox

import (
	"maps"
	"net/http"
	"sync"
	"time"
)

const (
	// maxRequests and maxLoggedBody bound the request log to some megabytes.
	maxRequests   = 1000
	maxLoggedBody = 16 << 10
	// unmatched is the name under which requests for no operation are counted.
	unmatched = "unmatched"
)

// Request is one request as it arrived, before any check.
type Request struct {
	ID       string // the x-request-id of the answer
	Op       string // as in [Sandbox.Operations], or "unmatched"
	Method   string
	Path     string // escaped, as sent
	RawQuery string
	Header   http.Header
	Body     []byte // at most the first 16 KiB
	At       time.Time
}

// journal counts requests by operation and stores the last ones.
type journal struct {
	mu       sync.Mutex
	counts   map[string]int
	requests []Request // a ring once full
	next     int
}

func newJournal() *journal { return &journal{counts: make(map[string]int)} }

func (j *journal) record(op, id string, r *http.Request, body []byte) {
	entry := Request{
		ID: id, Op: op, Method: r.Method, Path: r.URL.EscapedPath(), RawQuery: r.URL.RawQuery,
		Header: r.Header.Clone(), Body: body[:min(len(body), maxLoggedBody):min(len(body), maxLoggedBody)], At: time.Now(),
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.counts[op]++
	if len(j.requests) < maxRequests {
		j.requests = append(j.requests, entry)
		return
	}
	j.requests[j.next] = entry
	j.next = (j.next + 1) % maxRequests
}

func (j *journal) clear() {
	j.mu.Lock()
	defer j.mu.Unlock()
	clear(j.counts)
	j.requests, j.next = nil, 0
}

// Count returns how often the operation was called, whatever the answer.
func (s *Sandbox) Count(op string) int {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	return s.journal.counts[op]
}

// Counts returns the count of every operation that was called. The key
// "unmatched" counts requests for no operation.
func (s *Sandbox) Counts() map[string]int {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	return maps.Clone(s.journal.counts)
}

// Requests returns the last 1000 requests, oldest first. The headers are complete
// and include credentials.
func (s *Sandbox) Requests() []Request {
	j := s.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	out := make([]Request, 0, len(j.requests))
	out = append(out, j.requests[j.next:]...)
	return append(out, j.requests[:j.next]...)
}
