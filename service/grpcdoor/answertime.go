package grpcdoor

import (
	"sync"
	"time"
)

// answerTime is the time that the answer of a call may take. Without an end it does not
// end.
type answerTime struct {
	// over is closed at the end.
	over chan struct{}

	mu    sync.Mutex
	timer *time.Timer // nil: there is no end
}

func newAnswerTime() *answerTime { return &answerTime{over: make(chan struct{})} }

// extendTo moves the end, unless it has come.
func (a *answerTime) extendTo(end time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.timer == nil {
		a.timer = time.AfterFunc(time.Until(end), func() { close(a.over) })
	} else if a.timer.Stop() {
		a.timer.Reset(time.Until(end))
	}
}

// stop ends the clock with the call.
func (a *answerTime) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.timer != nil {
		a.timer.Stop()
	}
}
