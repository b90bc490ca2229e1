package pace

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/redistest"
	"github.com/admin-gateway/admin-gateway/internal/timetest"
)

// TestRevocationsHaveAShareBetweenReplicas: after a token for a revocation, whatever
// replica had it, the next one is for the replica that waits for longest.
func TestRevocationsHaveAShareBetweenReplicas(t *testing.T) {
	t.Parallel()
	take := replicasOf(t, func(name string) (bucket, organization Terms) {
		return Terms{Bucket: "b" + name, Limit: roomy}, Terms{Limit: Limit{4, 1}}
	})
	token := func() {
		t.Helper()
		timetest.Eventually(t, "there is a token", func() bool { return take("watching", FanOut).Organization.Tokens == 1 })
	}
	if !take("hostile", Revocation).Granted {
		t.Fatal("no token at first")
	}
	take("neighbour", Interactive)
	take("hostile", Revocation)
	take("other", Revocation)
	token()
	for _, name := range []string{"hostile", "other"} {
		if take(name, Revocation).Granted {
			t.Error("two revocations in succession went before a read")
		}
	}
	if !take("neighbour", Interactive).Granted {
		t.Error("the read has no token")
	}
	take("neighbour", Interactive)
	take("hostile", Revocation)
	take("other", Revocation)
	token()
	if take("neighbour", Interactive).Granted {
		t.Error("the read went before a revocation")
	}
	// The two take turns.
	if take("other", Revocation).Granted || !take("hostile", Revocation).Granted {
		t.Error("the revocation that waited for longest did not go")
	}
}

// TestDeletingNothingStarvesNobodyOnRedis: a caller that revokes nothing leaves half to
// another caller's reads, in its replica and in another.
func TestDeletingNothingStarvesNobodyOnRedis(t *testing.T) {
	t.Parallel()
	const first = 24
	for name, same := range map[string]bool{"one replica": true, "two replicas": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := redistest.Start(t)
			var replicas [2]*Pacer
			for i := range replicas {
				replicas[i] = newPacer(t, Options{
					Window: 8 * time.Second, Organization: Limit{40, 1}, Default: Limit{1000, 50},
					Shared: newShared(t, addr, RedisOptions{}),
				})
			}
			ctx, cancel := context.WithCancel(t.Context())
			var (
				all  sync.WaitGroup
				mu   sync.Mutex
				went []string
			)
			done := make(chan struct{})
			call := func(p *Pacer, flow Flow, bucket, name string) {
				all.Go(func() {
					if _, err := p.Wait(WithFlow(ctx, flow), bucket); err != nil {
						return
					}
					mu.Lock()
					defer mu.Unlock()
					if went = append(went, name); len(went) == first {
						close(done)
					}
				})
			}
			drain(t, replicas[0], "b")
			reader := replicas[1]
			if same {
				reader = replicas[0]
			}
			for i := range 2 * first {
				call(replicas[0], Flow{"hostile", Revocation}, fmt.Sprint("delete", i%12), "D")
				call(reader, Flow{"neighbour", Interactive}, fmt.Sprint("get", i%12), "r")
			}
			<-done
			mu.Lock()
			order := strings.Join(went[:first], "")
			mu.Unlock()
			cancel()
			all.Wait()
			// In the beginning not all wait, and a replica that stands still loses turns.
			if reads := strings.Count(order, "r"); reads < first/3 {
				t.Errorf("went %s", order)
			} else {
				t.Logf("went %s", order)
			}
		})
	}
}
