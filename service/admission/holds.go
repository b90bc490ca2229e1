package admission

import (
	"container/list"
	"context"
	"sync"
	"sync/atomic"

	"github.com/admin-gateway/admin-gateway/service/callers"
)

// holdLists is how many lists the holds are on, so that processors rarely meet.
const holdLists = 16

// holds are those of all calls under way. A policy that is replaced wakes all of them,
// and none of them costs anything until then but its place on a list. The zero value is
// ready.
type holds struct {
	// followed is the policy whose end wakes them.
	followed atomic.Pointer[callers.Set]
	next     atomic.Uint32
	lists    [holdLists]holdList
}

type holdList struct {
	mu    sync.Mutex
	holds list.List // of *hold
	_     [56]byte  // A list has a cache line to itself.
}

// add puts a hold on a list, of which it has to be removed.
func (all *holds) add(h *hold) {
	l := &all.lists[all.next.Add(1)%holdLists]
	h.on = l
	l.mu.Lock()
	defer l.mu.Unlock()
	h.place = l.holds.PushFront(h)
}

func (l *holdList) remove(h *hold) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holds.Remove(h.place)
}

// of returns those on the list now.
func (l *holdList) of() []*hold {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := make([]*hold, 0, l.holds.Len())
	for e := l.holds.Front(); e != nil; e = e.Next() {
		if h, ok := e.Value.(*hold); ok {
			found = append(found, h)
		}
	}
	return found
}

// follow has all holds look at their credentials when rules are replaced. The caller's
// hold is on a list.
func (all *holds) follow(rules *callers.Set) {
	if all.followed.Load() != rules && all.followed.Swap(rules) != rules {
		context.AfterFunc(rules.InForce(), all.look)
	}
}

// look has all of them look.
func (all *holds) look() {
	for i := range all.lists {
		for _, h := range all.lists[i].of() {
			h.look()
		}
	}
}
