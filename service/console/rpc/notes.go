package rpc

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// Notes are how the answers of some calls were come by. They may be used by several
// goroutines.
type Notes struct {
	mu      sync.Mutex
	age     time.Duration
	stale   bool
	lacking bool
}

// Lacking says that an answer was asked for that is not stored, where stored ones alone
// were wanted.
func (n *Notes) Lacking() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.lacking
}

// lack takes note of an error.
func (n *Notes) lack(err error) {
	if err == nil || rpcerror.ToCaller(err).Reason != rpcerror.ReasonNotStored {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lacking = true
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
