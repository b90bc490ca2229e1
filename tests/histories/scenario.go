//go:build unix

package histories

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// Scenario is a fault with a schedule, which waits for events, and a bound.
type Scenario struct {
	Name string
	// About says in a sentence what has to hold.
	About   string
	Options ClusterOptions // without Programs and Folder
	// Bound is how old a read may be.
	Bound time.Duration
	// Undisturbed are replicas that lose Redis only by the schedule, by their place in
	// [Cluster.Replicas]. A play in which one reports that it did otherwise, because
	// the machine stood still, shows something else, and is repeated. With any other
	// replica that reports it a read may be as old as without Redis. Nil: Redis is
	// lost to all of them by the schedule.
	Undisturbed []int
	// Log gets what was measured. It is required.
	Log func(format string, args ...any)
	// Run makes the history. Its error is a [*ViolationError], or the test's own.
	Run func(ctx context.Context, c *Cluster) error
}

// plays is how often a scenario is played at the most.
const plays = 3

// Play runs the scenario on new clusters, in folders of their own, until no replica
// was disturbed, and returns the last verdict.
func (s Scenario) Play(ctx context.Context, programs *Programs, folder string) (err error) {
	s.Options.Programs = programs
	for n := range plays {
		s.Options.Folder = filepath.Join(folder, strconv.Itoa(n))
		if err := os.Mkdir(s.Options.Folder, 0o700); err != nil {
			return err
		}
		var disturbed bool
		disturbed, err = s.play(ctx)
		if _, violated := errors.AsType[*ViolationError](err); !disturbed || err != nil && !violated {
			break
		}
		s.Log("play %d: a replica lost Redis for a moment", n+1)
	}
	return err
}

func (s Scenario) play(ctx context.Context) (disturbed bool, err error) {
	c, err := NewCluster(ctx, s.Options)
	defer func() {
		if closing := c.Close(); err == nil {
			err = closing
		}
	}()
	if err != nil {
		return false, err
	}
	c.log = s.Log
	if s.Undisturbed != nil {
		unwatch := c.WatchForHiccups(ctx, c.Replicas...)
		err = s.Run(ctx, c)
		unwatch()
	} else {
		err = s.Run(ctx, c)
	}
	faults := c.Faults.All()
	for _, fault := range faults {
		disturbed = disturbed || slices.ContainsFunc(s.Undisturbed, func(i int) bool { return fault.Replica == c.Replicas[i].Name() })
	}
	oldest, age := Oldest(c.History.Operations(), c.Upstream.Effects)
	s.Log("%s: the oldest read was %s old, where %s are allowed: %s through %s, %s", s.Name, age.Round(time.Millisecond), s.Bound,
		cmp.Or(oldest.Method, "any"), cmp.Or(oldest.Replica, "any"), cmp.Or(oldest.Note, "current"))
	verdict := c.check(Check{Effects: c.Upstream.Effects, Bound: func(at time.Duration) time.Duration {
		if len(faults) > 0 {
			return max(s.Bound, c.Faults.Bound(at))
		}
		return s.Bound
	}})
	if err == nil {
		err = verdict
	}
	return disturbed, err
}

// check checks the history so far, and writes all of it beside the logs.
func (c *Cluster) check(check Check) error {
	operations := c.History.Operations()
	file, err := os.Create(filepath.Join(c.folder, "history.txt"))
	if err != nil {
		return err
	}
	if err := errors.Join(WriteTable(file, operations, c.Faults.All()), file.Close()); err != nil {
		return err
	}
	return check.Run(operations)
}
