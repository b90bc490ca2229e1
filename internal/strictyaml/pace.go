package strictyaml

import (
	"runtime"
	"time"
)

// Pace is how a long file is read. The zero Pace is that of one goroutine that lets others
// run now and then.
type Pace struct {
	// Workers is how many goroutines read the parts of a [List]; 0 and 1: the one that
	// walks it.
	Workers int
	// Rest is how long the reading rests at least after each half of a millisecond, for a
	// process that has other things to do: it rests for as long as it has worked. The
	// collector then works while nobody does; without a rest it takes its share in long
	// turns, for which all others wait.
	Rest time.Duration
	// Hurry ends all rests once it is closed; nil never is.
	Hurry <-chan struct{}

	since time.Time // the end of the last rest
}

const (
	// turn is how long the reading works between two rests at least. In between it lets
	// others run; a rest would take a millisecond of a process that is idle, however short
	// it is.
	turn = 500 * time.Microsecond
	// longestRest bounds a rest: what took so long waited itself.
	longestRest = 5 * time.Millisecond
)

func (p *Pace) rest() {
	worked := time.Since(p.since)
	switch {
	case p.Rest <= 0 || worked < turn:
		runtime.Gosched()
		return
	case p.since.IsZero():
		worked = 0
	}
	timer := time.NewTimer(min(max(p.Rest, worked), longestRest))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.Hurry:
		runtime.Gosched()
	}
	p.since = time.Now()
}
