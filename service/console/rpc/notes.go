package rpc

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect/v2"
)

// Notes are how the answers of some calls were come by. They may be used by several
// goroutines.
type Notes struct {
	mu    sync.Mutex
	age   time.Duration
	stale bool
}

// Age is the age of the oldest answer. Stale says that one of them is past the time for
// which it is fresh.
func (n *Notes) Age() (age time.Duration, stale bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.age, n.stale
}

func (n *Notes) add(header *connect.Header) {
	seconds, err := strconv.ParseUint(header.Get("Age"), 10, 31)
	if err != nil {
		return // It is of no stored answer.
	}
	_, ttl, found := strings.Cut(header.Get("Cache-Status"), "ttl=")
	ttl, _, _ = strings.Cut(ttl, ";")
	left, err := strconv.Atoi(ttl)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.age = max(n.age, time.Duration(seconds)*time.Second)
	n.stale = n.stale || !found || err != nil || left <= 0
}
