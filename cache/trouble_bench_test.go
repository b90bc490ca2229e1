package cache

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/faultproxy"
)

// BenchmarkTrouble measures how much a faulty Redis adds to a miss, beside a healthy
// one: all calls of a miss, with a fetch that takes no time, at 200 misses a second.
func BenchmarkTrouble(b *testing.B) {
	for _, trouble := range []struct {
		name  string
		begin func(*faultproxy.Proxy)
	}{
		{"none", func(*faultproxy.Proxy) {}},
		{"black hole", func(p *faultproxy.Proxy) { p.Set(faultproxy.BlackHole) }},
		{"slow", func(p *faultproxy.Proxy) { p.SetDelay(30 * time.Millisecond); p.Set(faultproxy.Slow) }},
		{"reset", func(p *faultproxy.Proxy) { p.Set(faultproxy.Reset) }},
		{"refused", func(p *faultproxy.Proxy) { p.Refuse() }},
		{"answers held back", func(p *faultproxy.Proxy) { p.Set(faultproxy.Hold) }},
	} {
		b.Run(trouble.name, func(b *testing.B) {
			const misses = 1000
			server := newRedisServer(b)
			proxy := faultproxy.New(b, server.addr)
			r := newHasty(b, proxy.Addr(), RedisOptions{})
			memory, err := NewMemory(MemoryOptions{MaxBytes: 16 << 20, Lease: testLease})
			if err != nil {
				b.Fatal(err)
			}
			tiered, err := NewTiered(TieredOptions{Memory: memory, Shared: r})
			if err != nil {
				b.Fatal(err)
			}
			for i := range 100 { // Connections are open.
				missOnce(b, tiered, r, i)
			}
			for b.Loop() {
				trouble.begin(proxy)
				took := make([]time.Duration, 0, misses)
				tick := time.NewTicker(5 * time.Millisecond)
				for i := range misses {
					<-tick.C
					began := time.Now()
					missOnce(b, tiered, r, 1000+i)
					took = append(took, time.Since(began))
				}
				tick.Stop()
				slices.Sort(took)
				for _, p := range []int{50, 99} {
					b.ReportMetric(float64(took[len(took)*p/100].Microseconds())/1000, fmt.Sprintf("p%d-ms", p))
				}
				b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "max-ms")
			}
		})
	}
}

// missOnce makes the calls that a gateway makes for one miss.
func missOnce(b *testing.B, store *Tiered, leases Leases, n int) {
	b.Helper()
	key, tags := redisTestKey(n), NewTags(redisTestOrg, "/a")
	load := func(ctx context.Context) (string, bool) {
		e, ok, _ := store.Load(ctx, key, tags) // A failure is a miss.
		return string(e.Body()), ok
	}
	fetch := func(ctx context.Context) (string, error) {
		Depart(ctx)
		if at, err := store.Snapshot(ctx, tags); err == nil {
			_ = store.Save(ctx, key, redisTestEntry("x"), at) // A failure is a miss the next time.
		}
		return "x", nil
	}
	if _, ok := load(b.Context()); ok {
		return
	}
	if _, err := Across(b.Context(), Shared[string]{
		Leases: leases, Key: key, Tags: tags, Class: func() int { return 2 }, Load: load, Fetch: fetch,
	}); err != nil {
		b.Fatal(err)
	}
}
