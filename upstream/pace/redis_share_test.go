package pace

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
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

// replicaTokens lets replicas, each with a class of calls, ask for tokens of one bucket
// until one of them has had a number, and returns which had them.
func replicaTokens(t *testing.T, rules Rules, tokens int, asks map[string]Ask) string {
	t.Helper()
	addr := redistest.Start(t)
	terms := Terms{Bucket: "b", Limit: Limit{20, 1}}
	replicas := make(map[string]*Redis)
	for name, ask := range asks {
		replicas[name] = newShared(t, addr, RedisOptions{Grace: time.Hour})
		ask.Rules, ask.Bucket, ask.Organization = rules, terms, Terms{Limit: roomy}
		asks[name] = ask
	}
	take := func(name string) bool {
		answer, err := replicas[name].Take(t.Context(), asks[name])
		if err != nil {
			t.Fatal(err)
		}
		return answer.Granted
	}
	names := slices.Sorted(maps.Keys(asks))
	var order strings.Builder
	if take(names[0]) { // The first token is for whoever comes first.
		for _, name := range names {
			take(name)
		}
	}
	timetest.Eventually(t, "the tokens are taken", func() bool {
		for _, name := range names {
			if take(name) {
				order.WriteString(name)
				take(name) // It has another call.
			}
		}
		return order.Len() >= tokens
	})
	return order.String()[:tokens]
}

// TestMintsHaveAShareBetweenReplicas: of the tokens of all replicas, mints have their share
// beside revocations: where each has a replica of its own, and where one has both.
func TestMintsHaveAShareBetweenReplicas(t *testing.T) {
	t.Parallel()
	options := Options{Window: 12 * time.Second, MintShare: 0.2}
	if err := options.setDefaults(); err != nil {
		t.Fatal(err)
	}
	order := replicaTokens(t, options.rules(), 15, map[string]Ask{
		"m": {Class: Mint}, "r": {Class: Revocation}, "s": {Class: Revocation},
	})
	if n := strings.Count(order, "m"); n < 2 || n > 4 {
		t.Errorf("went %s", order)
	}
	if strings.Contains(order, "rrrrr") || strings.Contains(order, "sssss") {
		t.Errorf("replicas with revocations do not take turns: %s", order)
	}
}

// TestUrgentCallsBetweenReplicas: nine tokens of ten are for the replica with urgent calls,
// and one is not.
func TestUrgentCallsBetweenReplicas(t *testing.T) {
	t.Parallel()
	options := Options{Window: 12 * time.Second}
	if err := options.setDefaults(); err != nil {
		t.Fatal(err)
	}
	order := replicaTokens(t, options.rules(), 15, map[string]Ask{
		"U": {Class: Urgent}, "r": {Class: Revocation}, "i": {Class: Interactive},
	})
	if n := strings.Count(order, "U"); n < 12 || n > 14 {
		t.Errorf("went %s", order)
	}
}

// TestSpareCallsBetweenReplicas: a spare call does not take the last token, nor one that
// another replica waits for, and others do not wait for it.
func TestSpareCallsBetweenReplicas(t *testing.T) {
	t.Parallel()
	take := replicasOf(t, func(string) (bucket, organization Terms) {
		return Terms{Bucket: "b", Limit: Limit{8, 2}}, Terms{Limit: roomy}
	})
	if !take("broker", Spare).Granted {
		t.Error("a spare call does not go though nobody wants the budget")
	}
	answer := take("broker", Spare)
	if answer.Granted {
		t.Error("a spare call took the last token")
	}
	if other := take("reader", FanOut); !other.Granted || other.Bucket.Waiting != 0 {
		t.Errorf("a call waits for a spare one: %+v", other)
	}
	take("reader", FanOut)
	if take("broker", Spare).Granted {
		t.Error("a spare call went while another replica waited")
	}
	timetest.Eventually(t, "the other call has a token", func() bool {
		if take("broker", Spare).Granted {
			t.Error("a spare call took the token of another")
		}
		return take("reader", FanOut).Granted
	})
}

// TestMintShareOnRedis: two replicas, both with revocations and mints, give mints their
// share of what all make.
func TestMintShareOnRedis(t *testing.T) {
	t.Parallel()
	addr := redistest.Start(t)
	ctx, cancel := context.WithCancel(t.Context())
	var crowds []*crowd
	for range 2 {
		p := newPacer(t, Options{
			Window: 6 * time.Second, Organization: roomy, Default: Limit{60, 1}, MintShare: 0.2,
			Shared: newShared(t, addr, RedisOptions{Grace: time.Hour}),
		})
		c := newCrowd(t, p)
		c.work(ctx, "revoker", Revocation, 4, "keys")
		for i := range 4 {
			c.work(ctx, fmt.Sprint("team", i), Mint, 2, "keys")
		}
		crowds = append(crowds, c)
	}
	mints, all := 0, 0
	timetest.Eventually(t, "enough calls went", func() bool {
		mints, all = 0, 0
		for _, c := range crowds {
			for i := range 4 {
				mints += c.count(fmt.Sprint("team", i))
			}
			all += c.count("revoker")
		}
		all += mints
		return all >= 60
	})
	cancel()
	for _, c := range crowds {
		c.all.Wait()
	}
	t.Logf("%d of %d are mints", mints, all)
	if mints < 60/5-3 || mints > 60/5+6 {
		t.Errorf("%d of %d are mints", mints, all)
	}
}
