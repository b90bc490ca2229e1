//go:build unix

package histories

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/processtest"
)

// WatchForHiccups records a fault whenever one of the replicas counts calls of Redis
// that failed, until stop is called. On a machine that stands still for longer than a
// call to Redis may take, that is no fault of the gateway: it then has to act as if
// Redis was lost, and a read may be as old as that allows.
func (c *Cluster) WatchForHiccups(ctx context.Context, replicas ...*Replica) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	for _, r := range replicas {
		all.Go(func() { c.watchOne(ctx, r) })
	}
	return func() {
		cancel()
		all.Wait()
	}
}

func (c *Cluster) watchOne(ctx context.Context, r *Replica) {
	var life string
	var known float64
	last := c.Clock.Now()
	for watching := true; watching; {
		watching = processtest.Pause(ctx, time.Second/2) == nil // And a last time at the end.
		name := r.Name()
		page, err := r.OpsPage(context.WithoutCancel(ctx), "/metrics")
		if err != nil {
			continue // It is paused or dead, by the schedule.
		}
		failed, now := failures(page), c.Clock.Now()
		if failed > known && name == life {
			c.Faults.Add(Fault{Name: "hiccup", Replica: name, From: last, Until: now, Bound: Isolated})
		}
		life, known, last = name, failed, now
	}
}

// failures sums the calls of Redis that failed.
func failures(page string) (sum float64) {
	for line := range strings.Lines(page) {
		if !strings.HasPrefix(line, "gateway_cache_events_total{") || !strings.Contains(line, `event="failed"`) {
			continue
		}
		fields := strings.Fields(line)
		value, err := strconv.ParseFloat(fields[len(fields)-1], 64)
		if err == nil {
			sum += value
		}
	}
	return sum
}
