package build

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"
)

// runner is a component that runs until ctx ends, and gives the error that ended
// it before.
type runner interface {
	Run(ctx context.Context) error
}

// lifecycle runs the components of a gateway, from its first call to its last.
type lifecycle struct {
	ready *readiness
	// delay is how long the gateway goes on after it said that it is not ready.
	delay time.Duration
	// doors are where calls come in. They end first.
	doors []runner
	// leave asks clients to connect elsewhere.
	leave func()
	// background is what calls in flight need, and what operators look at. It ends
	// after the last call.
	background []runner
}

// run runs until ctx ends or something fails, and then ends in order:
//
//  1. The gateway says that it is not ready, while it goes on as before. Callers
//     hear of it in their time, which is the delay.
//  2. The doors are closed. Streams are told, calls in flight finish.
//  3. What they needed ends.
//
// What fails has no delay: who would be told is gone already. All goroutines
// have ended when it returns.
func (l lifecycle) run(ctx context.Context) error {
	// No component ends by the signal itself.
	background, backgroundEnds, stopBackground := startAll(ctx, l.background)
	defer stopBackground()
	doors, doorsEnd, stopDoors := startAll(ctx, l.doors)
	defer stopDoors()
	failed := first(doorsEnd, backgroundEnds)
	select {
	case <-ctx.Done():
	case <-failed:
	}
	l.ready.drain()
	l.leave()
	select {
	case <-time.After(l.delay):
	case <-failed:
	}
	l.ready.health.Stop()
	stopDoors()
	err := doors.Wait()
	stopBackground()
	return errors.Join(err, background.Wait())
}

// startAll runs components until stop is called, whatever becomes of ctx. ended
// is done earlier when one of them fails.
func startAll(ctx context.Context, components []runner) (group *errgroup.Group, ended context.Context, stop context.CancelFunc) {
	ctx, stop = context.WithCancel(context.WithoutCancel(ctx))
	group, ended = errgroup.WithContext(ctx)
	for _, c := range components {
		group.Go(func() error { return c.Run(ended) })
	}
	return group, ended, stop
}

// first is closed when one of two ends.
func first(a, b context.Context) <-chan struct{} {
	either, cancel := context.WithCancel(a)
	context.AfterFunc(b, cancel)
	return either.Done()
}
