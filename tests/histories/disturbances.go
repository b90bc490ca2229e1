//go:build unix

package histories

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/processtest"
)

// Disturbance is a kind of fault that [Mixed] makes.
type Disturbance struct {
	Name string
	// Redis is one that all replicas notice; the others are of one replica.
	Redis bool
	// Bound is how old a read may be because of it.
	Bound time.Duration
	// Forgets is one after which Redis may not know a write's key any more.
	Forgets bool
	// Longest is how long it lasts at the most.
	Longest time.Duration
	// run makes it, waits for d, and heals it.
	run func(ctx context.Context, c *Cluster, r *Replica, d time.Duration) error
}

// Disturbances returns all kinds.
func Disturbances() []Disturbance {
	return append(redisDisturbances(), replicaDisturbances()...)
}

func redisDisturbances() []Disturbance {
	return []Disturbance{
		{Name: "stopped Redis", Redis: true, Bound: Isolated, Longest: 20 * time.Second,
			run: func(ctx context.Context, c *Cluster, _ *Replica, d time.Duration) error {
				return errors.Join(c.Redis.Stop(), processtest.Pause(ctx, d), c.Redis.Continue())
			}},
		{Name: "killed Redis", Redis: true, Bound: Isolated, Forgets: true, Longest: 20 * time.Second,
			run: func(ctx context.Context, c *Cluster, _ *Replica, d time.Duration) error {
				return errors.Join(c.Redis.Kill(), c.Redis.Forget(), processtest.Pause(ctx, d), c.Redis.Start(ctx))
			}},
		{Name: "emptied Redis", Redis: true, Bound: Calm, Forgets: true, Longest: time.Second,
			run: func(ctx context.Context, c *Cluster, _ *Replica, d time.Duration) error {
				return errors.Join(c.Redis.Flush(ctx), processtest.Pause(ctx, d))
			}},
		{Name: "Redis set back", Redis: true, Bound: Isolated, Forgets: true, Longest: 10 * time.Second,
			run: func(ctx context.Context, c *Cluster, _ *Replica, d time.Duration) error {
				return errors.Join(c.Redis.Save(ctx), processtest.Pause(ctx, d), c.Redis.Kill(), c.Redis.Start(ctx))
			}},
	}
}

func replicaDisturbances() []Disturbance {
	return []Disturbance{
		{Name: "cut replica", Bound: Lapsed, Longest: 20 * time.Second,
			run: func(ctx context.Context, _ *Cluster, r *Replica, d time.Duration) error {
				r.Proxy.Cut()
				defer r.Proxy.Heal()
				return processtest.Pause(ctx, d)
			}},
		{Name: "stalled replica", Bound: Lapsed, Longest: 20 * time.Second,
			run: func(ctx context.Context, _ *Cluster, r *Replica, d time.Duration) error {
				r.Proxy.Stall()
				defer r.Proxy.Heal()
				return processtest.Pause(ctx, d)
			}},
		{Name: "slow replica", Bound: Lapsed, Longest: 20 * time.Second,
			run: func(ctx context.Context, _ *Cluster, r *Replica, d time.Duration) error {
				r.Proxy.Delay(30 * time.Millisecond)
				defer r.Proxy.Heal()
				return processtest.Pause(ctx, d)
			}},
		{Name: "paused replica", Bound: Isolated, Longest: 20 * time.Second,
			run: func(ctx context.Context, _ *Cluster, r *Replica, d time.Duration) error {
				return errors.Join(r.Pause(), processtest.Pause(ctx, d), r.Resume())
			}},
		{Name: "killed replica", Bound: Lapsed, Longest: 10 * time.Second,
			run: func(ctx context.Context, _ *Cluster, r *Replica, d time.Duration) error {
				return errors.Join(r.Kill(), processtest.Pause(ctx, d), r.Start(ctx))
			}},
		{Name: "drained replica", Bound: Calm, Longest: time.Second,
			run: func(ctx context.Context, c *Cluster, r *Replica, d time.Duration) error {
				return errors.Join(c.restart(ctx, r), processtest.Pause(ctx, d))
			}},
	}
}

// make makes a disturbance, and records it.
func (d Disturbance) make(ctx context.Context, c *Cluster, r *Replica, lasts time.Duration) error {
	fault := Fault{Name: d.Name, From: c.Clock.Now(), Bound: d.Bound}
	if !d.Redis {
		fault.Replica = r.Name()
	}
	err := d.run(ctx, c, r, lasts)
	fault.Until = c.Clock.Now()
	c.Faults.Add(fault)
	return err
}

// draw returns how long one lasts.
func (d Disturbance) draw(random *rand.Rand) time.Duration {
	return d.Longest/10 + time.Duration(random.Int64N(int64(d.Longest*9/10)))
}
