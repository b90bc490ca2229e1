package grpcdoor

import (
	"sync/atomic"
	"time"
)

const (
	// soon is a call that its client took back before it can have wanted an
	// answer.
	soon = time.Second
	// resetsLooked is from how many calls on a connection is judged.
	resetsLooked = 50
)

// resets counts what a stranger takes back (CVE-2023-44487): grpc-go bounds how
// many calls are under way, and not how many are begun. Who has shown who it is
// may: its calls are counted elsewhere, and its deadlines may be short.
type resets struct{ calls, soon atomic.Int64 }

// ended tells whether the connection is used for little else.
func (r *resets) ended(took time.Duration, back bool) bool {
	calls := r.calls.Add(1)
	early := r.soon.Load()
	if back && took < soon {
		early = r.soon.Add(1)
	}
	return calls >= resetsLooked && 2*early > calls
}
