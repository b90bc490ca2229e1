//go:build unix

package histories

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/processtest"
)

// nothingWrong writes through each replica, and reads through all.
func nothingWrong() Scenario {
	return Scenario{
		Name: "NothingWrong", About: "a write is seen through all replicas at once",
		Options: ClusterOptions{Registers: 1}, Bound: Calm, Undisturbed: []int{0, 1, 2},
		Run: func(ctx context.Context, c *Cluster) error {
			register := Register(0)
			for i := range 4 * len(c.Replicas) {
				if err := c.stored(ctx, register, c.Replicas...); err != nil {
					return err
				}
				if err := c.mustWrite(ctx, c.Replicas[i%len(c.Replicas)], register, fmt.Sprintf("v%d", i)); err != nil {
					return err
				}
			}
			return c.watch(ctx, time.Second, register, c.Replicas...)
		},
	}
}

// cutReader cuts a replica off from Redis, and writes elsewhere.
func cutReader() Scenario {
	return Scenario{
		Name: "CutReader", About: "a replica that cannot be told serves nothing old for longer than the cap",
		Options: ClusterOptions{Registers: 1}, Bound: Isolated, Undisturbed: []int{0, 2},
		Run: func(ctx context.Context, c *Cluster) error {
			register, cut := Register(0), c.Replicas[1]
			if err := c.stored(ctx, register, c.Replicas...); err != nil {
				return err
			}
			cut.Proxy.Cut()
			if err := c.mustWrite(ctx, c.Replicas[0], register, "v1"); err != nil {
				return err
			}
			if err := c.watch(ctx, Isolated+2*time.Second, register, c.Replicas...); err != nil {
				return err
			}
			cut.Proxy.Heal()
			return c.watch(ctx, 3*time.Second, register, c.Replicas...)
		},
	}
}

// pausedReplica halts a replica for longer than an answer may live in its memory
// without the bus. Its connections to Redis are gone when it goes on, as after a
// machine was suspended, so that it cannot hear what it missed.
func pausedReplica() Scenario {
	return Scenario{
		Name: "PausedReplica", About: "isolation is counted from when the bus was last heard",
		Options: ClusterOptions{Registers: 1}, Bound: Isolated,
		Run: func(ctx context.Context, c *Cluster) error {
			register, paused := Register(0), c.Replicas[1]
			if err := c.stored(ctx, register, c.Replicas...); err != nil {
				return err
			}
			if err := paused.Pause(); err != nil {
				return err
			}
			paused.Proxy.Cut()
			if err := c.mustWrite(ctx, c.Replicas[0], register, "v1"); err != nil {
				return err
			}
			if err := processtest.Pause(ctx, Isolated+4*time.Second); err != nil {
				return err
			}
			if err := paused.Resume(); err != nil {
				return err
			}
			return c.watch(ctx, 8*time.Second, register, paused)
		},
	}
}

// joinAcrossAWrite lets a read begin on a replica without Redis, holds its answer
// back, writes elsewhere, and reads again on that replica when the bound is over.
func joinAcrossAWrite() Scenario {
	return Scenario{
		Name: "JoinAcrossAWrite", About: "no read joins a flight that is older than what the reader may see",
		Options: ClusterOptions{Registers: 1}, Bound: Isolated,
		Run: func(ctx context.Context, c *Cluster) error {
			register, alone := Register(0), c.Replicas[1]
			alone.Proxy.Cut()
			release := make(chan struct{})
			first := true
			c.Upstream.SetPlan(func(call Call) Plan {
				if reads(register)(call) && first {
					first = false
					return Plan{Answer: Opened(release)}
				}
				return Plan{}
			})
			results := make(chan error, 2)
			read := func() {
				_, err := c.mustGet(ctx, alone, register)
				results <- err
			}
			go read() // Ends within its own limit; waited for below.
			_, err := c.Upstream.Arrived(ctx, reads(register))
			if err == nil {
				err = c.mustWrite(ctx, c.Replicas[0], register, "v1")
			}
			if err == nil {
				err = processtest.Pause(ctx, Isolated+time.Second)
			}
			go read()
			if err == nil {
				// It has joined by then, or asked the upstream itself.
				err = processtest.Pause(ctx, time.Second)
			}
			close(release)
			for range cap(results) {
				if failed := <-results; err == nil {
					err = failed
				}
			}
			return err
		},
	}
}

// debtsDieWithTheProcess kills a replica that could not tell Redis of its write.
func debtsDieWithTheProcess() Scenario {
	return Scenario{
		Name: "DebtsDieWithTheProcess", About: "what a replica could not invalidate before it died is not served for longer than its lease",
		Options: ClusterOptions{Registers: 1}, Bound: Lapsed, Undisturbed: []int{1, 2},
		Run: func(ctx context.Context, c *Cluster) error {
			return c.owe(ctx, func(ctx context.Context, debtor *Replica) error {
				if err := debtor.Kill(); err != nil {
					return err
				}
				return c.watch(ctx, Lapsed+4*time.Second, Register(0), c.Replicas[1:]...)
			})
		},
	}
}

// cutWriter cuts a replica off that writes, and lives.
func cutWriter() Scenario {
	return Scenario{
		Name: "CutWriter", About: "what a replica cannot invalidate is not served by others for longer than its lease",
		Options: ClusterOptions{Registers: 1}, Bound: Lapsed, Undisturbed: []int{1, 2},
		Run: func(ctx context.Context, c *Cluster) error {
			return c.owe(ctx, func(ctx context.Context, _ *Replica) error {
				return c.watch(ctx, Lapsed+4*time.Second, Register(0), c.Replicas...)
			})
		},
	}
}

// debtsArePaidInTheDrain ends a replica while it cannot reach Redis, and lets it
// reach Redis again before its drain is over.
func debtsArePaidInTheDrain() Scenario {
	return Scenario{
		Name: "DebtsArePaidInTheDrain", About: "a drain waits until what is owed is paid",
		Options: ClusterOptions{Registers: 1}, Bound: Drained, Undisturbed: []int{1, 2},
		Run: func(ctx context.Context, c *Cluster) error {
			return c.owe(ctx, func(ctx context.Context, debtor *Replica) error {
				if err := debtor.Terminate(); err != nil {
					return err
				}
				if err := processtest.Pause(ctx, 2*time.Second); err != nil {
					return err
				}
				debtor.Proxy.Heal()
				if err := debtor.Ended(processtest.Patience); err != nil {
					return err
				}
				return c.watch(ctx, Drained+2*time.Second, Register(0), c.Replicas[1:]...)
			})
		},
	}
}

// owe lets the first replica make a write that Redis does not learn of.
func (c *Cluster) owe(ctx context.Context, then func(ctx context.Context, debtor *Replica) error) error {
	register, debtor := Register(0), c.Replicas[0]
	if err := c.stored(ctx, register, c.Replicas...); err != nil {
		return err
	}
	debtor.Proxy.Cut()
	if err := c.mustWrite(ctx, debtor, register, "v1"); err != nil {
		return err
	}
	return then(ctx, debtor)
}

// killedMidWrite kills a replica whose write is at the upstream. The write takes
// effect later. No reader may miss that, and readers get answers from the cache
// again soon after.
func killedMidWrite() Scenario {
	return Scenario{
		Name: "KilledMidWrite", About: "a write that dies with its replica hides nothing, and does not keep answers from being stored for long",
		Options: ClusterOptions{Registers: 1}, Bound: Calm, Undisturbed: []int{0},
		Run: func(ctx context.Context, c *Cluster) error {
			register, victim := Register(0), c.Replicas[0]
			if err := c.stored(ctx, register, c.Replicas...); err != nil {
				return err
			}
			const late = 20 * time.Second // Behind the end of the replica's lease, within the grace.
			c.Upstream.SetPlan(func(call Call) Plan {
				if call.Write() {
					return Plan{Effect: After(late)}
				}
				return Plan{}
			})
			ended := make(chan Outcome, 1)
			go func() { ended <- c.Write(ctx, victim, register, "v1") }() // Ends with the victim.
			if _, err := c.Upstream.Arrived(ctx, writes("v1")); err != nil {
				return err
			}
			// A second for the watch to see that the victim told Redis of the write.
			if err := errors.Join(processtest.Pause(ctx, time.Second), victim.Kill()); err != nil {
				return err
			}
			killed := c.Clock.Now()
			<-ended
			if err := c.watch(ctx, late+2*time.Second, register, c.Replicas[1:]...); err != nil {
				return err
			}
			return c.hitBy(ctx, killed+HitsAgain, register, c.Replicas[1:]...)
		},
	}
}

// hitBy reads through replicas until each has answered from its cache.
func (c *Cluster) hitBy(ctx context.Context, end time.Duration, register string, replicas ...*Replica) error {
	for _, r := range replicas {
		for {
			began := c.Clock.Now()
			_, note, err := c.Get(ctx, r, register)
			if err != nil {
				return fmt.Errorf("%s does not answer a read: %w", r.Name(), err)
			}
			if isHit(note) {
				break
			}
			if began > end {
				return violated("%s does not answer from its cache at %s: %s", r.Name(), moment(began), note)
			}
			if err := processtest.Pause(ctx, 500*time.Millisecond); err != nil {
				return err
			}
		}
	}
	return nil
}
