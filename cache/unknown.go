package cache

import (
	"context"
	"sync"
	"time"
)

// UnknownOutcomeGrace is how long after its end a write whose outcome is unknown
// counts as open. It may take effect until then: what is read meanwhile is not stored.
const UnknownOutcomeGrace = 30 * time.Second

// maxUnknownWrites bounds the writes that are held open at a time.
const maxUnknownWrites = 4096

// UnknownWrites holds writes open whose outcome is unknown. Close it.
type UnknownWrites struct {
	mu     sync.Mutex
	timers map[*time.Timer]struct{}
	closed bool
	all    sync.WaitGroup
}

// NewUnknownWrites returns an empty UnknownWrites.
func NewUnknownWrites() *UnknownWrites {
	return &UnknownWrites{timers: make(map[*time.Timer]struct{})}
}

// Hold calls end, which closes a write of [Store.Open], after the grace. Where too
// many are held, and after Close, end is not called: such a write is as that of a
// process that died, and stays open until its lease is over.
func (u *UnknownWrites) Hold(end func(ctx context.Context)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed || len(u.timers) >= maxUnknownWrites {
		return
	}
	u.all.Add(1)
	var timer *time.Timer
	timer = time.AfterFunc(UnknownOutcomeGrace, func() {
		defer u.all.Done()
		u.mu.Lock()
		delete(u.timers, timer)
		u.mu.Unlock()
		end(context.Background())
	})
	u.timers[timer] = struct{}{}
}

// Close waits for the ends that are under way, and forgets the other writes. In a
// shared store they stay open for the rest of their leases, which is no shorter than
// the grace.
func (u *UnknownWrites) Close() {
	u.mu.Lock()
	u.closed = true
	for timer := range u.timers {
		if timer.Stop() {
			u.all.Done()
		}
		delete(u.timers, timer)
	}
	u.mu.Unlock()
	u.all.Wait()
}
