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
