//go:build unix

package histories

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/processtest"
)

// Mixed is a random history: clients that read and write through all replicas, and
// disturbances that a seed draws. The seed gives the disturbances, their order and
// their length, and what clients do; the processes are as fast as they are.
type Mixed struct {
	Seed     uint64
	Duration time.Duration
	// Kinds are the disturbances to draw from; empty: none.
	Kinds []Disturbance
	// LostAnswers is the part of the writes whose answer is lost, LateAnswers the part
	// whose answer comes when the caller may have given up, and LateEffects the part
	// that takes effect later, with a lost answer.
	LostAnswers, LateAnswers, LateEffects float64
	// Log gets a line for each disturbance.
	Log func(format string, args ...any)
}

const (
	mixedRegisters = 24
	clientsEach    = 2
	// The history is checked at the end of a round, when nothing is under way.
	longestRound = 2 * time.Minute
	// latest is how late an effect may be; within [Grace].
	latest = 20 * time.Second
)

// Play makes the history on a new cluster, and checks it.
func (m Mixed) Play(ctx context.Context, programs *Programs, folder string) (err error) {
	c, err := NewCluster(ctx, ClusterOptions{Programs: programs, Folder: folder, Registers: mixedRegisters})
	defer func() {
		if closing := c.Close(); err == nil {
			err = closing
		}
	}()
	if err != nil {
		return err
	}
	defer c.WatchForHiccups(ctx, c.Replicas...)()
	c.Upstream.SetPlan(m.plan())
	random := rand.New(rand.NewPCG(m.Seed, 0)) //nolint:gosec // a schedule, no secret
	check := Check{Effects: c.Upstream.Effects, Bound: c.Faults.Bound, Twice: c.forgot}
	for end, round := c.Clock.Now()+m.Duration, uint64(1); c.Clock.Now() < end; round++ {
		until := min(end, c.Clock.Now()+longestRound)
		if err := errors.Join(m.round(ctx, c, random, round, until), c.Upstream.Idle(ctx)); err != nil {
			return err
		}
		if err := c.check(check); err != nil {
			return err
		}
	}
	return nil
}

// plan draws what becomes of each write.
func (m Mixed) plan() func(Call) Plan {
	random := rand.New(rand.NewPCG(m.Seed, 1)) //nolint:gosec // a schedule, no secret
	return func(call Call) Plan {
		if !call.Write() {
			return Plan{}
		}
		late := After(time.Duration(random.Int64N(int64(latest))))
		soon := After(time.Duration(random.Int64N(int64(500 * time.Millisecond))))
		switch drawn := random.Float64(); {
		case drawn < m.LateEffects:
			return Plan{Effect: late, Answer: soon, Lost: true}
		case drawn < m.LateEffects+m.LostAnswers:
			return Plan{Effect: soon, Answer: After(500 * time.Millisecond), Lost: true}
		case drawn < m.LateEffects+m.LostAnswers+m.LateAnswers:
			return Plan{Effect: soon, Answer: late}
		default:
			return Plan{Effect: soon}
		}
	}
}

// round lets the clients work, and disturbs them, until a moment. Then all is healed,
// and the clients read on for a while without a write: what is stale then stays so.
func (m Mixed) round(ctx context.Context, c *Cluster, random *rand.Rand, round uint64, until time.Duration) error {
	var all sync.WaitGroup
	defer all.Wait()
	var quiet atomic.Bool
	working, stop := context.WithCancel(ctx)
	defer stop()
	for i := range Replicas * clientsEach {
		client := &client{
			Cluster: c, number: i, round: round, quiet: &quiet,
			random: rand.New(rand.NewPCG(m.Seed, round<<8|uint64(i+2))), //nolint:gosec // a schedule, no secret
		}
		all.Go(func() { client.work(ctx, working.Done()) })
	}
	for c.Clock.Now() < until {
		if err := processtest.Pause(ctx, min(until-c.Clock.Now(), time.Duration(1+random.IntN(8))*time.Second)); err != nil {
			return err
		}
		if err := m.disturb(ctx, c, random, until); err != nil {
			return err
		}
	}
	quiet.Store(true)
	return processtest.Pause(ctx, min(Lapsed+Isolated, m.Duration/2))
}

// disturb makes a disturbance, and sometimes one of Redis and one of a replica at
// the same time.
func (m Mixed) disturb(ctx context.Context, c *Cluster, random *rand.Rand, until time.Duration) error {
	if len(m.Kinds) == 0 || c.Clock.Now() >= until {
		return nil
	}
	kinds := []Disturbance{m.Kinds[random.IntN(len(m.Kinds))]}
	if second := m.Kinds[random.IntN(len(m.Kinds))]; random.IntN(4) == 0 && second.Redis != kinds[0].Redis {
		kinds = append(kinds, second)
	}
	failed := make(chan error, len(kinds))
	for _, kind := range kinds {
		r, lasts := c.Replicas[random.IntN(Replicas)], kind.draw(random)
		m.Log("%s: %s, %s, replica %d", moment(c.Clock.Now()), kind.Name, lasts.Round(time.Millisecond), r.Number)
		go func() { failed <- kind.make(ctx, c, r, lasts) }() // Waited for below.
	}
	var err error
	for range kinds {
		err = errors.Join(err, <-failed)
	}
	return err
}

// forgot returns whether Redis lost its state while a write was under way, or soon
// before or after.
func (c *Cluster) forgot(o Operation) bool {
	for _, fault := range c.Faults.All() {
		for _, kind := range Disturbances() {
			if kind.Forgets && kind.Name == fault.Name && fault.From-slack <= o.Return && o.Call <= fault.Until+slack {
				return true
			}
		}
	}
	return false
}

// client calls one replica, and another one to repeat a write.
type client struct {
	*Cluster
	number int
	round  uint64
	quiet  *atomic.Bool // whether it only reads
	random *rand.Rand
}

// work reads and writes until stop is closed. It seldom writes, so that there is
// time between two writes of a register for its readers to be wrong.
func (c *client) work(ctx context.Context, stop <-chan struct{}) {
	mine := c.number % Replicas
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		r, register := c.Replicas[mine], Register(c.random.IntN(mixedRegisters))
		value := fmt.Sprintf("v%d-%d-%d", c.round, c.number, i)
		limited, cancel := context.WithTimeout(ctx, callLimit/2)
		switch drawn := c.random.IntN(100); {
		case drawn < 1 && !c.quiet.Load(): // Once, and nobody knows.
			c.Write(limited, r, register, value)
		case drawn < 2 && !c.quiet.Load(): // Again elsewhere, with its key.
			c.WriteAgain(ctx, register, value, value, r, c.Replicas[(mine+1)%Replicas], c.Replicas[(mine+2)%Replicas])
		case drawn < 8:
			_ = c.List(limited, r) // No answer is no part of the history.
		default:
			_, _, _ = c.Get(limited, r, register)
		}
		cancel()
		if processtest.Pause(ctx, time.Duration(20+c.random.IntN(200))*time.Millisecond) != nil {
			return
		}
	}
}
