package httpdoor

import (
	"sync/atomic"
	"time"
)

const (
	// soon is a request that its client took back before it can have wanted an
	// answer.
	soon = time.Second
	// resetsLooked is from how many requests on a connection is judged.
	resetsLooked = 50
)

// resets counts what a stranger takes back on HTTP/2 (CVE-2023-44487). Requests
// that were taken back do not count against those that it may have open, so that
// it could make the port begin any number of them. Who has shown who it is may:
// its calls are counted elsewhere, and its deadlines may be short.
type resets struct{ requests, soon atomic.Int64 }

// ended tells whether the connection is used for little else.
func (r *resets) ended(took time.Duration, back bool) bool {
	requests := r.requests.Add(1)
	early := r.soon.Load()
	if back && took < soon {
		early = r.soon.Add(1)
	}
	return requests >= resetsLooked && 2*early > requests
}
