package door

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/linked"
)

const (
	// lookEvery is how long after the end of its context a call may still wait for its
	// client. By then the client has given up: its own deadline is its own business.
	lookEvery = 100 * time.Millisecond
	// waitLists is how many lists the waits are on, so that processors rarely meet.
	waitLists = 16
)

// waits are the calls that wait for their client. They are looked at every lookEvery,
// which costs a call less than a timer and an entry in its context: most have their
// request before they could wait. The zero value is ready, and nothing runs for it while
// no call waits.
type waits struct {
	next  atomic.Uint32
	lists [waitLists]waitList
}

// waitList is a list of waits.
type waitList struct {
	mu    sync.Mutex
	waits linked.List[wait]
	timer *time.Timer
	armed bool
	_     [64]byte // No two lists are on one cache line.
}

// wait is a call that waits for its client.
type wait struct {
	ctx        context.Context
	connection Connection
	on         *waitList
	place      linked.Link[wait]
}

// begin enters a wait, which is to be ended. The connection is interrupted some time
// after ctx has ended, and not after the end of the wait.
func (w *waits) begin(of *wait) {
	l := &w.lists[w.next.Add(1)%waitLists]
	of.on = l
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waits.Add(of, &of.place)
	if l.armed {
		return
	}
	l.armed = true
	if l.timer == nil {
		l.timer = time.AfterFunc(lookEvery, l.look)
	} else {
		l.timer.Reset(lookEvery)
	}
}

// end removes a wait.
func (w *wait) end() {
	w.on.mu.Lock()
	defer w.on.mu.Unlock()
	w.on.waits.Remove(&w.place)
}

// look interrupts the waits whose contexts have ended, and looks again later while there
// are others.
func (l *waitList) look() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for w := range l.waits.All {
		if w.ctx.Err() != nil {
			w.connection.Interrupt()
		}
	}
	if l.armed = l.waits.Len() > 0; l.armed {
		l.timer.Reset(lookEvery)
	}
}
