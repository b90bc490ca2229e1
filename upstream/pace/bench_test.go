package pace

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/admin-gateway/admin-gateway/internal/redistest"
)

// plenty never waits.
var plenty = Limit{Calls: 1e6, Burst: 5e5}

// Wait with tokens in the process, beside the two bare limiters.
func BenchmarkWait(b *testing.B) {
	b.Run("two bare limiters", func(b *testing.B) {
		x, y := rate.NewLimiter(1e9, 1e9), rate.NewLimiter(1e9, 1e9)
		b.ReportAllocs()
		for b.Loop() {
			if !x.Allow() || !y.Allow() {
				b.Fatal("no token")
			}
		}
	})
	b.Run("Wait", func(b *testing.B) {
		p := newPacer(b, Options{Window: time.Millisecond, Organization: plenty, Default: plenty})
		ctx := as(b.Context(), "f", Interactive)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := p.Wait(ctx, "b"); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// Wait with tokens in Redis, beside a script that does nothing, through the same
// client.
func BenchmarkRedis(b *testing.B) {
	addr := redistest.Start(b)
	client := newClient(b, addr, time.Second)
	b.Run("bare GET", func(b *testing.B) {
		for b.Loop() {
			if err := client.Exists(b.Context(), "nothing").Err(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("bare EVALSHA", func(b *testing.B) {
		sha, err := client.ScriptLoad(b.Context(), "return {'1'}").Result()
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if err := client.EvalSha(b.Context(), sha, []string{"nothing"}).Err(); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, replicas := range []int{1, 3} {
		b.Run(fmt.Sprintf("Wait, %d replicas known", replicas), func(b *testing.B) {
			var p *Pacer
			for range replicas {
				p = newPacer(b, Options{
					Window: time.Millisecond, Organization: plenty, Default: plenty,
					Shared: newShared(b, addr, RedisOptions{}),
				})
				drain(b, p, "b")
			}
			for b.Loop() {
				if _, err := p.Wait(b.Context(), "b"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// The time that waiting calls take, relative to the budget: 1 is the ideal, where each
// window has as many calls as it may. The default margin is included.
func BenchmarkCompletion(b *testing.B) {
	const budget, window, calls = 10, 250 * time.Millisecond, 1000
	for _, replicas := range []int{0, 1, 3} {
		name := fmt.Sprintf("%d replicas on Redis", replicas)
		if replicas == 0 {
			name = "alone"
		}
		b.Run(name, func(b *testing.B) {
			addr := ""
			if replicas > 0 {
				addr = redistest.Start(b)
			}
			for b.Loop() {
				m := newModel(budget, window)
				pacers := make([]*Pacer, max(1, replicas))
				for i := range pacers {
					options := Options{Window: window, Organization: Limit{10_000, 100}, Default: Limit{budget, 1}}
					if replicas > 0 {
						options.Shared = newShared(b, addr, RedisOptions{})
					}
					pacers[i] = newPacer(b, options)
				}
				start := time.Now()
				var all sync.WaitGroup
				for i := range calls {
					all.Go(func() {
						if _, err := pacers[i%len(pacers)].Wait(as(b.Context(), fmt.Sprint(i%100), FanOut), "b"); err != nil {
							b.Error(err)
							return
						}
						m.arrive("b")
					})
				}
				all.Wait()
				ideal := window * (calls - budget) / budget
				b.ReportMetric(time.Since(start).Seconds()/ideal.Seconds(), "of-ideal")
				b.ReportMetric(float64(m.most["b"])/budget, "peak/budget")
				_, refusals := m.count()
				b.ReportMetric(float64(refusals), "refused")
			}
		})
	}
}
