package pace

import (
	"time"
)

// learned is what is known of a bucket's real budget. scriptTerms and
// scriptRefuse have the same in Lua.
type learned struct {
	// rate is how many calls are made in a window.
	rate float64
	// epoch counts how often the rate was lowered.
	epoch uint64
	// closed is until when no call is made.
	closed time.Time
	// refused is when a call was refused last, and refusedRate at which rate
	// one was when the rate was last lowered.
	refused     time.Time
	refusedRate float64
	// raised is when the rate was changed last.
	raised time.Time
}

// refuse notes that a call was refused that was made in an epoch. It tells
// whether the rate was lowered: what is refused of calls that were made before
// that was to be expected.
func (l *learned) refuse(now time.Time, closed time.Duration, epoch uint64, terms Terms, rules Learning) (lowered bool) {
	if until := now.Add(closed); until.After(l.closed) {
		l.closed = until
	}
	l.refused = now
	if epoch < l.epoch {
		return false
	}
	l.refusedRate = l.rate
	l.rate = max(l.rate*rules.Lower, terms.floor())
	l.raised = now
	l.epoch++
	return true
}

// raise raises the rate by a step if it was quiet for long enough.
func (l *learned) raise(now time.Time, terms Terms, rules Learning) {
	if l.rate >= terms.Limit.Calls || now.Sub(l.raised) < rules.Quiet || now.Sub(l.refused) < rules.Quiet || now.Before(l.closed) {
		return
	}
	top := terms.Limit.Calls
	if now.Sub(l.refused) < rules.Memory && l.refusedRate > 0 {
		top = min(top, l.refusedRate*(1-rules.Step))
	}
	l.rate = max(l.rate, min(l.rate+rules.Step*terms.Limit.Calls, top))
	l.raised = now
}

// Terms are what a bucket is configured to: the same in all replicas.
type Terms struct {
	// Bucket is its name; empty for the organization's.
	Bucket string
	// Limit is the most that it allows.
	Limit Limit
	// Floor is the least rate that it learns, in calls per window.
	Floor float64
}

func (t Terms) floor() float64 { return min(t.Floor, t.Limit.Calls) }
