// Package standby runs functions on goroutines that stand by for the next one. The stack
// of a goroutine begins small, and a call through many packages copies it several times
// until it is large enough: one that stands by has paid for that. It imports the
// standard library alone.
package standby

import (
	"context"
	"runtime/pprof"
	"sync"
	"sync/atomic"
)

// Goroutines run functions. There is one for each function that runs, and some that
// stand by. They are safe for concurrent use.
type Goroutines struct {
	next chan func()
	most int64        // that stand by
	idle atomic.Int64 // how many do
	all  sync.WaitGroup
	once sync.Once // closes next
	// unlabel takes the labels from a goroutine that stands by: a profile would count it
	// with the call that began it, whose labels it has.
	unlabel func()
}

// New makes Goroutines of which at most so many stand by; none runs before the first
// function does. Close them.
func New(most int) *Goroutines {
	return &Goroutines{
		next: make(chan func()), most: int64(most),
		unlabel: func() { pprof.SetGoroutineLabels(context.Background()) },
	}
}

// Go runs f on a goroutine that stands by, or on a new one; it does not wait. It must not
// be called after [Goroutines.Close]. A panic of f ends the program, as in a go statement.
func (g *Goroutines) Go(f func()) {
	select {
	case g.next <- f:
	default:
		g.all.Go(func() { g.run(f) })
	}
}

// run runs f, and stands by for what comes then.
func (g *Goroutines) run(f func()) {
	f()
	for g.idle.Add(1) <= g.most {
		g.unlabel()
		next, open := <-g.next
		g.idle.Add(-1)
		if !open {
			return
		}
		next()
	}
	g.idle.Add(-1)
}

// Close ends the goroutines that stand by, and waits for all functions. It may be called
// again.
func (g *Goroutines) Close() {
	g.once.Do(func() { close(g.next) })
	g.all.Wait()
}
