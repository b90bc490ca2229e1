package pace

import (
	"errors"
	"strconv"
	"time"
)

// number is the number of a class in Redis. Revocation, Interactive and FanOut have those
// of builds that know no others: replicas of both take turns while one replaces the
// other.
func (c Class) number() int {
	switch c {
	case Urgent:
		return 0
	case Revocation:
		return 1
	case Mint:
		return 4
	case Interactive:
		return 2
	case Spare:
		return 5
	default:
		return 3
	}
}

// number is 1 for mints and 2 for revocations, or their sum.
func (w Waits) number() (n int) {
	if w.Mints {
		n++
	}
	if w.Revocations {
		n += 2
	}
	return n
}

// reply reads the values that a script returned, from the front. err is set once a
// value is missing or malformed.
type reply struct {
	values []string
	err    error
}

var errReply = errors.New("a script returned an unexpected reply")

func (r *reply) text() string {
	if len(r.values) == 0 {
		r.err = errReply
		return ""
	}
	value := r.values[0]
	r.values = r.values[1:]
	return value
}

func (r *reply) float() float64 {
	f, err := strconv.ParseFloat(r.text(), 64)
	if err != nil {
		r.err = errReply
	}
	return f
}

// maxTime is above any time that a script returns, and fits a Duration.
const maxTime = 365 * 24 * time.Hour

// time reads microseconds, rounded up: asking too early means asking twice.
func (r *reply) time() time.Duration {
	f := r.float()
	if f > 0 {
		f = min(f+1, float64(maxTime/time.Microsecond))
	}
	return time.Duration(f) * time.Microsecond
}

func (r *reply) state() State {
	s := State{Rate: r.float(), RefusedRate: r.float(), Tokens: r.float(), Epoch: uint64(r.float())}
	s.Closed, s.Refused, s.Waiting, s.MintCredit = r.time(), r.time(), int(r.float()), r.float()
	return s
}
