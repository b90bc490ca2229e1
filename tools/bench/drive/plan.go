package drive

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// patience bounds the wait for an answer, and so the end of a run.
const patience = 5 * time.Second

var (
	// ErrSilent is the error of a run in which a call had no answer in time.
	ErrSilent = errors.New("a call has had no answer")
	// ErrFailed is the error of a run in which an answer was not a success.
	ErrFailed = errors.New("an answer is not a success")
)

// Plan says which calls are made.
type Plan struct {
	// Address is the server's, host:port of an IPv4 address.
	Address string
	// Protocol says how calls look on the wire.
	Protocol Protocol
	// Request is the request of the call with that number. It may be reused for the next.
	Request func(call int) []byte
	// Connections is how many there are, and Streams how many calls each may have in
	// flight. Over HTTP/1.1 it is one.
	Connections, Streams int
	// Calls is how many calls are made.
	Calls int
	// Rate is in calls a second: they are due at moments of a Poisson process. Zero: a
	// closed loop, where each answer is followed by the next call.
	Rate float64
	// Seed draws the moments.
	Seed uint64
}

// Outcome is what a run came to.
type Outcome struct {
	// Times are those from the moment a call was due to its answer, in the order of the
	// calls.
	Times []time.Duration
	// Took is the time from the first call to the last answer.
	Took time.Duration
}

// Rate is in calls a second.
func (o Outcome) Rate() float64 { return float64(len(o.Times)) / o.Took.Seconds() }

// Run makes the calls. Every one of them has to succeed.
func Run(ctx context.Context, p Plan) (Outcome, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	poll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return Outcome{}, err
	}
	defer func() { _ = unix.Close(poll) }()
	l := &loop{
		plan: p, poll: poll, times: make([]time.Duration, p.Calls),
		random: rand.New(rand.NewPCG(p.Seed, 1)), //nolint:gosec // Moments are no secret.
		byFD:   make(map[int32]*conn, p.Connections),
	}
	defer l.close()
	for range p.Connections {
		if err := l.open(ctx); err != nil {
			return Outcome{}, err
		}
	}
	took, err := l.run(ctx)
	if err != nil {
		return Outcome{}, fmt.Errorf("calls to %s: %w", p.Address, err)
	}
	return Outcome{Times: l.times, Took: took}, nil
}
