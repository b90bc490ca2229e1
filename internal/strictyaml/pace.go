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
	// Rest is how long the reading rests after each fraction of a millisecond, for a
	// process that has other things to do. The collector then works while nobody does;
	// without a rest it takes its share in long turns, for which all others wait.
	Rest time.Duration
	// Hurry ends all rests once it is closed; nil never is.
	Hurry <-chan struct{}
}

func (p Pace) rest() {
	if p.Rest <= 0 {
		runtime.Gosched()
		return
	}
	timer := time.NewTimer(p.Rest)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.Hurry:
		runtime.Gosched()
	}
}
