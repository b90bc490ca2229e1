package admission

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/admin-gateway/admin-gateway/internal/linked"
	"github.com/admin-gateway/admin-gateway/service/callers"
)

// tenureLists is how many lists the tenures are on, so that processors rarely meet.
const tenureLists = 16

// tenures are those of all calls under way. A policy that is replaced wakes all of them,
// and none of them costs anything until then but its place on a list. The zero value is
// ready.
type tenures struct {
	// followed is the policy whose end wakes them.
	followed atomic.Pointer[callers.Set]
	next     atomic.Uint32
	lists    [tenureLists]tenureList
}

type tenureList struct {
	mu      sync.Mutex
	tenures linked.List[tenure]
	_       [64]byte // No two lists are on one cache line.
}

// add puts a tenure on a list, of which it has to be removed.
func (all *tenures) add(t *tenure) {
	l := &all.lists[all.next.Add(1)%tenureLists]
	t.on = l
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tenures.Add(t, &t.place)
}

func (l *tenureList) remove(t *tenure) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tenures.Remove(&t.place)
}

// of returns those on the list now.
func (l *tenureList) of() []*tenure {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := make([]*tenure, 0, l.tenures.Len())
	for t := range l.tenures.All {
		found = append(found, t)
	}
	return found
}

// follow has all tenures look at their credentials when rules are replaced. That of who
// calls it is on a list.
func (all *tenures) follow(rules *callers.Set) {
	if all.followed.Load() != rules && all.followed.Swap(rules) != rules {
		context.AfterFunc(rules.InForce(), all.look)
	}
}

// look has all of them look.
func (all *tenures) look() {
	for i := range all.lists {
		for _, t := range all.lists[i].of() {
			t.look()
		}
	}
}
