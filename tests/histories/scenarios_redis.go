//go:build unix

package histories

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/processtest"
)

// redisComesBackOlder sets Redis back to before a write that all replicas have seen,
// as a failover to a replica that lags does. The gateways were started anew since,
// as in a roll-out, so that none of them made the write or heard of it.
func redisComesBackOlder() Scenario {
	return Scenario{
		Name: "RedisComesBackOlder", About: "a Redis that was set back gives no answer from before",
		Options: ClusterOptions{Registers: 1}, Bound: Calm,
		Run: func(ctx context.Context, c *Cluster) error {
			register := Register(0)
			if err := c.stored(ctx, register, c.Replicas...); err != nil {
				return err
			}
			if err := c.Redis.Save(ctx); err != nil {
				return err
			}
			if err := c.mustWrite(ctx, c.Replicas[0], register, "v1"); err != nil {
				return err
			}
			for _, r := range c.Replicas {
				if err := c.restart(ctx, r); err != nil {
					return err
				}
			}
			if err := c.stored(ctx, register, c.Replicas...); err != nil {
				return err
			}
			if err := c.Redis.Kill(); err != nil {
				return err
			}
			if err := c.Redis.Start(ctx); err != nil {
				return err
			}
			for _, r := range c.Replicas {
				if err := c.SeesRedis(ctx, r); err != nil {
					return err
				}
			}
			return c.watch(ctx, 4*time.Second, register, c.Replicas...)
		},
	}
}

// emptiedRedis removes everything from Redis after a write.
func emptiedRedis() Scenario {
	return Scenario{
		Name: "EmptiedRedis", About: "a Redis that lost everything makes no replica go back",
		Options: ClusterOptions{Registers: 1}, Bound: Calm, Undisturbed: []int{0, 1},
		Run: func(ctx context.Context, c *Cluster) error {
			register := Register(0)
			if err := c.stored(ctx, register, c.Replicas...); err != nil {
				return err
			}
			if err := c.mustWrite(ctx, c.Replicas[0], register, "v1"); err != nil {
				return err
			}
			if err := c.Redis.Flush(ctx); err != nil {
				return err
			}
			if err := c.mustWrite(ctx, c.Replicas[1], register, "v2"); err != nil {
				return err
			}
			return c.watch(ctx, 3*time.Second, register, c.Replicas...)
		},
	}
}

// fullRedis lets Redis refuse all that needs memory.
func fullRedis() Scenario {
	return Scenario{
		Name: "FullRedis", About: "a Redis without room gives no answer from before",
		Options: ClusterOptions{Registers: 1}, Bound: Calm, Undisturbed: []int{0, 1, 2},
		Run: func(ctx context.Context, c *Cluster) error {
			register := Register(0)
			if err := c.stored(ctx, register, c.Replicas...); err != nil {
				return err
			}
			if err := c.Redis.Bound(ctx, 1); err != nil {
				return err
			}
			for i, r := range c.Replicas {
				if err := c.mustWrite(ctx, r, register, fmt.Sprintf("v%d", i)); err != nil {
					return err
				}
				if err := c.watch(ctx, time.Second, register, c.Replicas...); err != nil {
					return err
				}
			}
			if err := c.Redis.Bound(ctx, 0); err != nil {
				return err
			}
			return c.watch(ctx, 3*time.Second, register, c.Replicas...)
		},
	}
}

// stoppedRedis halts Redis, and lets it go on with all that it had.
func stoppedRedis() Scenario {
	return withoutRedis("StoppedRedis",
		func(c *Cluster) error { return c.Redis.Stop() },
		func(_ context.Context, c *Cluster) error { return c.Redis.Continue() })
}

// killedRedis kills Redis, which comes back empty.
func killedRedis() Scenario {
	return withoutRedis("KilledRedis",
		func(c *Cluster) error { return c.Redis.Kill() },
		func(ctx context.Context, c *Cluster) error { return c.Redis.Start(ctx) })
}

// withoutRedis writes while Redis is lost to all replicas, and lets it come back. The
// writer is halted meanwhile, so that the others reach Redis before it does.
func withoutRedis(name string, lose func(c *Cluster) error, back func(ctx context.Context, c *Cluster) error) Scenario {
	return Scenario{
		Name: name, About: "without Redis an answer lives for a few seconds, and Redis gives none from before",
		Options: ClusterOptions{Registers: 1}, Bound: Isolated,
		Run: func(ctx context.Context, c *Cluster) error {
			register, writer := Register(0), c.Replicas[0]
			if err := c.stored(ctx, register, c.Replicas...); err != nil {
				return err
			}
			if err := lose(c); err != nil {
				return err
			}
			if err := c.mustWrite(ctx, writer, register, "v1"); err != nil {
				return err
			}
			// Behind the end of the leases of replicas, too.
			if err := c.watch(ctx, Lapsed, register, c.Replicas[1:]...); err != nil {
				return err
			}
			if err := errors.Join(writer.Pause(), back(ctx, c), c.watch(ctx, 5*time.Second, register, c.Replicas[1:]...), writer.Resume()); err != nil {
				return err
			}
			return c.watch(ctx, 3*time.Second, register, c.Replicas...)
		},
	}
}

// restart ends a replica as a supervisor does, and starts it again.
func (c *Cluster) restart(ctx context.Context, r *Replica) error {
	if err := r.Terminate(); err != nil {
		return err
	}
	if err := r.Ended(processtest.Patience); err != nil {
		return err
	}
	return r.Start(ctx)
}
