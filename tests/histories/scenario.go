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
	// Undisturbed is a scenario in which no replica that is read loses Redis. Where
	// one reports that it did, because the machine stood still, a read may be as old
	// as without Redis.
	Undisturbed bool
	// Log gets what was measured; nil: nobody.
	Log func(format string, args ...any)
	// Run makes the history. Its error is a [*ViolationError], or the test's own.
	Run func(ctx context.Context, c *Cluster) error
}

// Play runs the scenario on a new cluster, and checks the history.
func (s Scenario) Play(ctx context.Context, programs Programs, folder string) (err error) {
	s.Options.Programs, s.Options.Folder = programs, folder
	c, err := NewCluster(ctx, s.Options)
	defer func() {
		if closing := c.Close(); err == nil {
			err = closing
		}
	}()
	if err != nil {
		return err
	}
	bound := func(time.Duration) time.Duration { return s.Bound }
	if s.Undisturbed {
		defer c.WatchForHiccups(ctx)()
		bound = func(at time.Duration) time.Duration { return max(s.Bound, c.Faults.Bound(at)) }
	}
	if err := s.Run(ctx, c); err != nil {
		return err
	}
	if oldest, age := Oldest(c.History.Operations(), c.Upstream.Effects); s.Log != nil {
		s.Log("the oldest read was %s old, where %s are allowed: %s through %s, %s",
			age.Round(time.Millisecond), s.Bound, cmp.Or(oldest.Method, "any"), cmp.Or(oldest.Replica, "any"), cmp.Or(oldest.Note, "current"))
	}
	return c.check(Check{Effects: c.Upstream.Effects, Bound: bound})
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
