//go:build unix

package leases

import (
	"context"
	"sync"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/processtest"
)

// trap waits for a call to come to a point. One point is set at a time.
type trap struct {
	mu  sync.Mutex
	set *shot
}

// shot is a point that is waited for.
type shot struct {
	Point
	// hit has the number of the gateway that came to it.
	hit chan int
	// dead is closed when that gateway is dead, or when nobody shoots any more.
	dead chan struct{}
}

// await sets a point, waits until a gateway comes to it, and returns its number; false if
// none does in time. kill is called with it, and the calls that wait for its death go on.
func (t *trap) await(ctx context.Context, p Point, kill func(gateway int, hit bool)) {
	s := &shot{Point: p, hit: make(chan int, 1), dead: make(chan struct{})}
	defer close(s.dead)
	t.mu.Lock()
	t.set = s
	t.mu.Unlock()
	wait := p.patience()
	if p.Phase == Elapsed {
		wait = p.After
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case gateway := <-s.hit:
		kill(gateway, true)
		return
	case <-timer.C:
	case <-ctx.Done():
	}
	t.mu.Lock()
	t.set = nil
	t.mu.Unlock()
	select {
	case gateway := <-s.hit: // At this moment.
		kill(gateway, true)
	default:
		if ctx.Err() == nil {
			kill(anyGateway, p.Phase == Elapsed)
		}
	}
}

// anyGateway is the number of a gateway that nobody has chosen.
const anyGateway = -1

// meets takes the shot that is for a call in one of these phases; nil for none.
func (t *trap) meets(call string, phases ...Phase) *shot {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.set == nil || t.set.Call != call {
		return nil
	}
	for _, phase := range phases {
		if t.set.Phase == phase {
			s := t.set
			t.set = nil
			return s
		}
	}
	return nil
}

// fire has a gateway killed, and returns when it is dead.
func (s *shot) fire(ctx context.Context, gateway int) {
	if s.After > 0 && processtest.Pause(ctx, s.After) != nil {
		gateway = anyGateway
	}
	s.hit <- gateway
	<-s.dead
}
