package build

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// runner is a component that runs until ctx ends. It returns earlier only with an
// error, or if it has nothing to do.
type runner interface {
	Run(ctx context.Context) error
}

// lifecycle starts and stops the components of a gateway in order.
type lifecycle struct {
	ready  *readiness
	logger *slog.Logger
	// running is how many calls are under way.
	running *atomic.Int64
	// delay is how long the gateway serves on after it reports that it is not ready.
	delay time.Duration
	// doors accept calls. They stop first.
	doors []runner
	// leave asks clients to reconnect elsewhere.
	leave func()
	// closing is told when the doors close: the time for all that follows has begun.
	closing func(at time.Time)
	// work goes on without callers. It stops after the last call, and may make calls
	// upstream until then.
	work []runner
	// background serves calls in flight, work, and operators. It stops last.
	background []runner
}

// run runs until ctx ends or a component fails, and then stops in order:
//
//  1. The gateway reports that it is not ready, and serves on for the delay, so
//     that load balancers notice.
//  2. The doors close. Streams end with an error, and calls in flight finish.
//  3. The work without callers stops, and what it has begun ends.
//  4. The background components stop.
//
// After a failure there is no delay. All goroutines have ended when run returns.
func (l lifecycle) run(ctx context.Context) error {
	// The end of ctx does not reach components: they are stopped in order.
	background, backgroundEnds, stopBackground := startAll(ctx, l.background)
	defer stopBackground()
	work, workEnds, stopWork := startAll(ctx, l.work)
	defer stopWork()
	doors, doorsEnd, stopDoors := startAll(ctx, l.doors)
	defer stopDoors()
	failed, forget := first(doorsEnd, workEnds, backgroundEnds)
	defer forget()
	select {
	case <-ctx.Done():
	case <-failed:
	}
	l.stops(ctx)
	began := time.Now()
	l.ready.drain()
	l.leave()
	select {
	case <-time.After(l.delay):
	case <-failed:
	}
	l.ready.health.Stop()
	l.closing(time.Now())
	l.logger.InfoContext(ctx, "the doors close", "running", l.running.Load(), "after", time.Since(began))
	stopDoors()
	err := doors.Wait()
	cut := l.running.Load()
	stopWork()
	err = errors.Join(err, work.Wait())
	stopBackground()
	err = errors.Join(err, background.Wait())
	l.stopped(ctx, cut, time.Since(began), err)
	return err
}

// stops says that the gateway begins to stop, and why.
func (l lifecycle) stops(ctx context.Context) {
	why := "a component has failed"
	if ctx.Err() != nil {
		why = context.Cause(ctx).Error()
	}
	l.logger.InfoContext(ctx, "the gateway stops", "because", why, "running", l.running.Load(), "delay", l.delay)
}

// stopped says that it has, with the calls that had to be cut off, and how long it took.
func (l lifecycle) stopped(ctx context.Context, cut int64, took time.Duration, err error) {
	level, attrs := slog.LevelInfo, []slog.Attr{slog.Int64("cut_off", cut), slog.Duration("took", took)}
	if err != nil {
		level, attrs = slog.LevelError, append(attrs, slog.String("error", err.Error()))
	}
	l.logger.LogAttrs(ctx, level, "the gateway has stopped", attrs...)
}

// startAll runs components until stop is called. It ignores the end of ctx. ended
// is done when one of them fails, or after stop.
func startAll(ctx context.Context, components []runner) (group *errgroup.Group, ended context.Context, stop context.CancelFunc) {
	ctx, stop = context.WithCancel(context.WithoutCancel(ctx))
	group, ended = errgroup.WithContext(ctx)
	for _, c := range components {
		group.Go(func() error { return c.Run(ended) })
	}
	return group, ended, stop
}

// first returns a channel that is closed when one of the contexts is done, and what ends
// its use.
func first(a context.Context, others ...context.Context) (<-chan struct{}, context.CancelFunc) {
	either, cancel := context.WithCancel(a)
	for _, other := range others {
		context.AfterFunc(other, cancel) //nolint:contextcheck // Each of them ends the wait.
	}
	return either.Done(), cancel
}
