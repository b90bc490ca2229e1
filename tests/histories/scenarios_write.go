//go:build unix

package histories

import (
	"context"
	"fmt"
	"time"
)

// lateEffect lets a write take effect after its caller was told that nobody knows
// its outcome, with reads in between.
func lateEffect() Scenario {
	return Scenario{
		Name: "LateEffect", About: "an effect within the grace after an unknown outcome is seen by every read that begins after it",
		Options: ClusterOptions{Registers: 1}, Bound: Calm, Undisturbed: []int{0},
		Run: func(ctx context.Context, c *Cluster) error {
			register := Register(0)
			c.Upstream.SetPlan(func(call Call) Plan {
				if call.Write() {
					return Plan{Effect: After(4 * time.Second), Answer: After(time.Second), Lost: true}
				}
				return Plan{}
			})
			if outcome := c.Write(ctx, c.Replicas[0], register, "v1"); outcome != Unknown {
				return fmt.Errorf("the write's outcome is %s", outcome)
			}
			// Before the effect: what a reader stores now would hide it.
			if err := c.watch(ctx, 2*time.Second, register, c.Replicas...); err != nil {
				return err
			}
			if _, err := c.Upstream.Effected(ctx, "v1"); err != nil {
				return err
			}
			return c.watch(ctx, Isolated+2*time.Second, register, c.Replicas...)
		},
	}
}

// lateEffectForgotten is the same where nobody is left who made the write: its replica
// is drained, and Redis loses all data, before the effect.
func lateEffectForgotten() Scenario {
	return Scenario{
		Name: "LateEffectForgotten", About: "those who heard of a write remember it for a replica that has ended, and for Redis",
		Options: ClusterOptions{Registers: 1}, Bound: Calm, Undisturbed: []int{1, 2},
		Run: func(ctx context.Context, c *Cluster) error {
			register, writer := Register(0), c.Replicas[0]
			c.Upstream.SetPlan(func(call Call) Plan {
				if call.Write() {
					return Plan{Effect: After(15 * time.Second), Answer: After(time.Second), Lost: true}
				}
				return Plan{}
			})
			if outcome := c.Write(ctx, writer, register, "v1"); outcome != Unknown {
				return fmt.Errorf("the write's outcome is %s", outcome)
			}
			if err := c.restart(ctx, writer); err != nil {
				return err
			}
			if err := c.Redis.Flush(ctx); err != nil {
				return err
			}
			// What a reader stores now would hide the effect. Each has noticed the loss
			// after a heartbeat.
			if err := c.watch(ctx, 4*time.Second, register, c.Replicas...); err != nil {
				return err
			}
			if _, err := c.Upstream.Effected(ctx, "v1"); err != nil {
				return err
			}
			return c.watch(ctx, Isolated+2*time.Second, register, c.Replicas...)
		},
	}
}
