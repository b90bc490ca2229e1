package pace

import (
	"time"
)

// learned is the state of a bucket's rate as refusals and quiet time change it.
// scriptTerms and scriptRefuse are the same in Lua.
type learned struct {
	// rate is the number of calls in a window.
	rate float64
	// epoch is the number of times that the rate was lowered.
	epoch uint64
	// closed is the time until which no call is made.
	closed time.Time
	// refused is the time of the last refusal, and refusedRate the rate that was
	// refused when the rate was last lowered.
	refused     time.Time
	refusedRate float64
	// raised is the time of the last change of the rate.
	raised time.Time
}

// refuse notes the refusal of a call that was granted in an epoch, and reports
// whether it lowered the rate. The refusal of a call that was granted before the
// rate was last lowered does not lower it again, and one from which there is nothing
// to learn does not lower it at all.
func (l *learned) refuse(now time.Time, closed time.Duration, epoch uint64, unlearned bool, terms Terms, rules Learning) (lowered bool) {
	if until := now.Add(closed); until.After(l.closed) {
		l.closed = until
	}
	l.refused = now
	if unlearned || epoch < l.epoch {
		return false
	}
	l.refusedRate = l.rate
	l.rate = max(l.rate*rules.Lower, terms.floor())
	l.raised = now
	l.epoch++
	return true
}

// raise raises the rate by a step after enough quiet time.
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

// Terms are the configuration of a bucket. They are the same in all replicas.
type Terms struct {
	// Bucket is its name; empty for the organization's.
	Bucket string
	// Limit is its configured limit.
	Limit Limit
	// Floor is the lowest rate that refusals lower it to, in calls per window.
	Floor float64
}

func (t Terms) floor() float64 { return min(t.Floor, t.Limit.Calls) }
