package pace

import (
	"bytes"
	"context"
	"fmt"
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
	const calls, counted = 48, 24
	for name, same := range map[string]bool{"one replica": true, "two replicas": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := redistest.Start(t)
			// A replica that stands still on a busy machine keeps its turn.
			shared := func() *Redis { return newShared(t, addr, RedisOptions{Grace: time.Hour}) }
			var replicas [2]*Pacer
			for i := range replicas {
				replicas[i] = newPacer(t, Options{Window: 8 * time.Second, Organization: Limit{40, 1}, Default: Limit{1000, 50}, Shared: shared()})
			}
			hostile, reader := replicas[0], replicas[1]
			if same {
				reader = hostile
			}
			ctx, cancel := context.WithCancel(t.Context())
			var (
				all  sync.WaitGroup
				mu   sync.Mutex
				went []byte
			)
			call := func(p *Pacer, flow Flow, bucket string, name byte) {
				all.Go(func() {
					if _, err := p.Wait(WithFlow(ctx, flow), bucket); err == nil {
						mu.Lock()
						defer mu.Unlock()
						went = append(went, name)
					}
				})
			}
			wentBy := func() []byte {
				mu.Lock()
				defer mu.Unlock()
				return bytes.Clone(went)
			}
			drain(t, hostile, "b")
			for i := range calls {
				call(hostile, Flow{"hostile", Revocation}, fmt.Sprint("delete", i%12), 'D')
				call(reader, Flow{"neighbour", Interactive}, fmt.Sprint("get", i%12), 'r')
			}
			watching, waits := shared(), 0
			if !same {
				waits++ // Of other replicas than the one that looks.
			}
			timetest.Eventually(t, "all calls wait, in Redis too", func() bool {
				states, err := watching.Look(t.Context(), hostile.rules, []Terms{hostile.organization.terms})
				if err != nil {
					t.Fatal(err)
				}
				waiting := waitingIn(hostile)
				if !same {
					waiting += waitingIn(reader)
				}
				return states[0].Waiting == waits+1 && waiting >= 2*calls-len(wentBy())-2
			})
			before := len(wentBy())
			timetest.Eventually(t, "enough calls went", func() bool { return len(wentBy()) >= before+counted })
			order := wentBy()[before:][:counted]
			cancel()
			all.Wait()
			t.Logf("went %s", order)
			// One may have gone between the count and the look.
			if reads := bytes.Count(order, []byte("r")); reads < counted/2-1 {
				t.Errorf("%d of %d are reads", reads, counted)
			}
		})
	}
}
