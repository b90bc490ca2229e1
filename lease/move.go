package lease

import "time"

// DefaultKept is how long a lease that has ended stays in the ledger, unless its
// record says otherwise: its request stays safe to repeat for as long.
const DefaultKept = 24 * time.Hour

// Move returns the record in another state, as it is at a time. It is an
// [ErrTransition] if next may not follow the record's state, or not yet: a doubtful
// lease is not over before its credential has expired, whatever was found.
//
// An end takes the secret and the attempts with it. What is to be known besides is
// the caller's to set.
func Move(r Record, next State, at time.Time, cause string) (Record, error) {
	if !r.State.May(next) || r.State == next {
		return Record{}, &TransitionError{r.State, next}
	}
	if next == Expired && at.Before(r.UpstreamExpires) {
		return Record{}, &TransitionError{r.State, next}
	}
	if r.State == Doubtful && next == Aborted && at.Before(r.UpstreamExpires) {
		return Record{}, &TransitionError{r.State, next}
	}
	r.State, r.Cause, r.Since = next, cause, at
	r.NextAttempt, r.Attempts = time.Time{}, 0
	if next.Final() {
		r.Ended, r.SecretUntil, r.Urgent = at, time.Time{}, false
		if r.ForgetAt.IsZero() {
			r.ForgetAt = at.Add(DefaultKept)
		}
	}
	return r, nil
}

// TransitionError is the error of a change that the states do not allow. It is an
// [ErrTransition].
type TransitionError struct {
	// From and To are the states; From is zero for a record that begins.
	From, To State
}

// Error implements error.
func (e *TransitionError) Error() string {
	return "lease: " + e.To.String() + " does not follow " + e.From.String()
}

// Is tells whether target is ErrTransition.
func (e *TransitionError) Is(target error) bool { return target == ErrTransition }
