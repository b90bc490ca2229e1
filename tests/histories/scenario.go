//go:build unix

package histories

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
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
	s.Log("the oldest read was %s old, where %s are allowed: %s through %s, %s", age.Round(time.Millisecond), s.Bound,
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

// isHit returns whether a Cache-Status says that the answer was stored.
func isHit(note string) bool { return strings.HasPrefix(note, "admin-gateway; hit") }

// writes matches the arrival of the write of a value.
func writes(value string) func(Call) bool {
	return func(c Call) bool { return c.Write() && c.Value == value }
}

// reads matches the arrival of a read of a register.
func reads(register string) func(Call) bool {
	return func(c Call) bool { return c.Method == http.MethodGet && c.Register == register }
}

// mustGet reads a register, and fails the test if there is no answer.
func (c *Cluster) mustGet(ctx context.Context, r *Replica, register string) (value string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*callLimit)
	defer cancel()
	value, _, err = c.Get(ctx, r, register)
	if err != nil {
		return "", fmt.Errorf("%s does not answer a read: %w", r.Name(), err)
	}
	return value, nil
}

// mustWrite writes a register, and fails the test unless it was made.
func (c *Cluster) mustWrite(ctx context.Context, r *Replica, register, value string) error {
	if outcome := c.Write(ctx, r, register, value); outcome != Done {
		return fmt.Errorf("the write of %q through %s: %s", value, r.Name(), outcome)
	}
	return nil
}

// stored reads a register through replicas until each serves it from its cache.
func (c *Cluster) stored(ctx context.Context, register string, replicas ...*Replica) error {
	for _, r := range replicas {
		if err := until(ctx, patience, func(ctx context.Context) error {
			_, note, err := c.Get(ctx, r, register)
			if err == nil && !isHit(note) {
				err = fmt.Errorf("%s does not store %s: %s", r.Name(), register, note)
			}
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// watch reads a register through replicas, a few times a second, for a time. A read
// without an answer is not part of the history.
func (c *Cluster) watch(ctx context.Context, d time.Duration, register string, replicas ...*Replica) error {
	for end := c.Clock.Now() + d; c.Clock.Now() < end; {
		for _, r := range replicas {
			limited, cancel := context.WithTimeout(ctx, callLimit)
			_, _, _ = c.Get(limited, r, register)
			cancel()
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}
