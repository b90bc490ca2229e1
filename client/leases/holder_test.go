package leases_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/client/leases"
	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
)

// keeping is a holder whose Keep runs.
type keeping struct {
	*leases.Holder
	keys  []string // that came after the first; to be read after the end
	ended chan error
	stop  context.CancelFunc
}

// keep acquires a lease and keeps it until stop.
func keep(t *testing.T, g *gateway) *keeping {
	t.Helper()
	k := &keeping{ended: make(chan error, 1)}
	holder, err := leases.Acquire(t.Context(), g, leases.Request{Role: "search"},
		leases.OnKey(func(key leases.Key) { k.keys = append(k.keys, key.Secret()) }))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	k.Holder, k.stop = holder, stop
	go func() { k.ended <- holder.Keep(ctx) }()
	return k
}

// end stops Keep, and returns its error.
func (k *keeping) end() error {
	k.stop()
	return <-k.ended
}

// watch looks at the key every so often, for a time; it returns for how many looks it did
// not work.
func (k *keeping) watch(g *gateway, every, duration time.Duration) (dead int) {
	for range duration / every {
		time.Sleep(every) //nolint:forbidigo // Simulated time.
		if !g.works(k.Key().Secret()) {
			dead++
		}
	}
	return dead
}

// TestKeyWorksForDays although it lives for an hour and may be renewed for a day; the
// clock of the gateway is years off.
func TestKeyWorksForDays(t *testing.T) {
	t.Parallel()
	for _, skew := range []time.Duration{0, -26280 * time.Hour, 26280 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			g := newGateway(time.Hour, 24*time.Hour)
			g.skew = skew
			k := keep(t, g)
			if dead := k.watch(g, time.Minute, 72*time.Hour); dead > 0 {
				t.Errorf("skew %v: the key did not work for %d minutes", skew, dead)
			}
			if err := k.end(); !errors.Is(err, context.Canceled) {
				t.Errorf("Keep: %v", err)
			}
			// A renewal every 36 to 40 minutes, and each lease replaced in its last hour.
			if n := g.count("renew"); n < 3*34 || n > 3*42 || len(k.keys) < 3 || len(k.keys) > 4 {
				t.Errorf("skew %v: %d renewals, %d keys", skew, n, len(k.keys)+1)
			}
		})
	}
}

// TestKeyWorksUnderLostCallsAndAnswers: half of all calls are cut before or after they
// are done. Each lease is made once.
func TestKeyWorksUnderLostCallsAndAnswers(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			draw := rand.New(rand.NewPCG(seed, 0))
			lose := func(string) error {
				if draw.IntN(10) < 3 {
					return cut()
				}
				return nil
			}
			g := newGateway(time.Hour, 4*time.Hour)
			g.before, g.after = lose, lose
			k := keep(t, g)
			if dead := k.watch(g, time.Minute, 24*time.Hour); dead > 0 {
				t.Errorf("seed %d: the key did not work for %d minutes", seed, dead)
			}
			_ = k.end()
			if made := len(g.leases); made != len(k.keys)+1 {
				t.Errorf("seed %d: %d leases for %d keys", seed, made, len(k.keys)+1)
			}
		})
	}
}

// TestKeyWorksWhereCallsHang: a call gets no more time than there is for another one
// behind it.
func TestKeyWorksWhereCallsHang(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(time.Minute, 10*time.Minute)
		n := 0
		g.hangs = func(string) bool { n++; return n%3 != 0 }
		k := keep(t, g)
		if dead := k.watch(g, time.Second, time.Hour); dead > 0 {
			t.Errorf("the key did not work for %d seconds", dead)
		}
		_ = k.end()
	})
	// An acknowledgement is a courtesy, and does not cost the lease.
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(30*time.Second, 5*time.Minute)
		g.hangs = func(rpc string) bool { return rpc == "acknowledge" }
		k := keep(t, g)
		if dead := k.watch(g, time.Second, time.Hour); dead > 0 {
			t.Errorf("the key did not work for %d seconds", dead)
		}
		_ = k.end()
	})
}

// TestAnotherLeaseInGoodTime: where the latest end leaves a renewal little, another lease
// is asked for while there is still a third of a life for attempts that fail.
func TestAnotherLeaseInGoodTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(time.Hour, 61*time.Minute)
		k := keep(t, g)
		dead := k.watch(g, time.Minute, 43*time.Minute)
		g.change(func() { g.before = func(string) error { return cut() } })
		if dead += k.watch(g, time.Minute, 30*time.Minute); dead > 0 {
			t.Errorf("the key did not work for %d minutes", dead)
		}
		_ = k.end()
	})
}

// TestOutage: while the gateway is away for less than the rest of the lease, the key
// stays; after a longer time another one comes as soon as the gateway is there.
func TestOutage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		away time.Duration
		keys int
		dead int // minutes without a key that works
	}{{18 * time.Minute, 0, 0}, {2 * time.Hour, 1, 95}} {
		synctest.Test(t, func(t *testing.T) {
			g := newGateway(time.Hour, 24*time.Hour)
			k := keep(t, g)
			time.Sleep(35 * time.Minute) //nolint:forbidigo // Simulated time.
			g.change(func() { g.before = func(string) error { return cut() } })
			dead := k.watch(g, time.Minute, tt.away)
			g.change(func() { g.before = func(string) error { return nil } })
			dead += k.watch(g, time.Minute, time.Hour)
			if err := k.end(); !errors.Is(err, context.Canceled) {
				t.Errorf("Keep: %v", err)
			}
			if len(k.keys) != tt.keys || dead < tt.dead || dead > tt.dead+2 {
				t.Errorf("away for %v: %d more keys, %d minutes without", tt.away, len(k.keys), dead)
			}
		})
	}
}

// TestOthersEndTheLease or rotate it: with the next renewal there is another key.
func TestOthersEndTheLease(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*leasev1.Lease){
		"revoked": func(l *leasev1.Lease) { l.State = leasev1.LeaseState_LEASE_STATE_REVOKED },
		"rotated": func(l *leasev1.Lease) { l.ApiKeyId = "key-of-somebody" },
	} {
		synctest.Test(t, func(t *testing.T) {
			g := newGateway(time.Hour, 24*time.Hour)
			k := keep(t, g)
			g.change(func() { end(g.leases["lease-1"]) })
			time.Sleep(41 * time.Minute) //nolint:forbidigo // Simulated time.
			_ = k.end()
			if !slices.Equal(k.keys, []string{"sk-secret-2"}) || k.Key().Secret() != "sk-secret-2" {
				t.Errorf("%s: keys %v", name, k.keys)
			}
		})
	}
}

// TestRefusedInTheEnd: a holder that the policy does not allow any more keeps its lease
// until the end, and is lost then.
func TestRefusedInTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(time.Hour, 24*time.Hour)
		k := keep(t, g)
		start := time.Now()
		g.change(func() {
			g.before = func(string) error { return remote(connect.CodePermissionDenied, "PERMISSION_DENIED", 0) }
		})
		err := <-k.ended
		lost, ok := errors.AsType[*leases.LostError](err)
		if !ok || lost.LeaseID != "lease-1" || connect.CodeOf(err) != connect.CodePermissionDenied || time.Since(start) < time.Hour || time.Since(start) > time.Hour+time.Minute {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		k.stop()
	})
}

// TestAcquireTriesAgain until it has a lease, with the same request as long as that can
// succeed, and waits as long as the gateway asks for.
func TestAcquireTriesAgain(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err  error
		made int // leases, where the call is done and then fails
		took time.Duration
	}{
		"cut":             {cut(), 1, time.Second},
		"deadline":        {connect.NewError(connect.CodeDeadlineExceeded, "late"), 1, time.Second},
		"no budget":       {remote(connect.CodeResourceExhausted, "NO_BUDGET", time.Minute), 1, time.Minute},
		"outcome unknown": {remote(connect.CodeUnknown, "OUTCOME_UNKNOWN", 0), 2, time.Second},
		"secret lost":     {remote(connect.CodeAborted, "LEASE_SECRET_LOST", 0), 2, time.Second},
		"over meanwhile":  {remote(connect.CodeFailedPrecondition, "LEASE_OVER", 0), 2, time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := newGateway(time.Hour, 24*time.Hour)
			failures := 0
			g.after = func(rpc string) error {
				if rpc == "create" && failures == 0 {
					failures++
					return tt.err
				}
				return nil
			}
			start := time.Now()
			var heard error
			h, err := leases.Acquire(t.Context(), g, leases.Request{Role: "search"}, leases.OnError(func(err error, _ time.Duration) { heard = err }))
			if err != nil || !g.works(h.Key().Secret()) || len(g.leases) != tt.made || !errors.Is(heard, tt.err) {
				t.Errorf("%s: %v, %d leases, heard %v", name, err, len(g.leases), heard)
			}
			if took := time.Since(start); took > tt.took || took < tt.took/2 {
				t.Errorf("%s: it took %v", name, took)
			}
		})
	}
}

// TestAcquireRefused is refused once.
func TestAcquireRefused(t *testing.T) {
	t.Parallel()
	for _, code := range []connect.Code{connect.CodePermissionDenied, connect.CodeUnauthenticated, connect.CodeInvalidArgument, connect.CodeNotFound, connect.CodeFailedPrecondition, connect.CodeInternal, connect.CodeUnimplemented} {
		g := newGateway(time.Hour, time.Hour)
		g.before = func(string) error { return remote(code, "LEASES_DISABLED", 0) }
		if _, err := leases.Acquire(t.Context(), g, leases.Request{Role: "search"}); connect.CodeOf(err) != code || g.count("create") != 1 {
			t.Errorf("%v: %v after %d calls", code, err, g.count("create"))
		}
	}
}

// TestAcquireEndsWithItsContext, and says why it had to try.
func TestAcquireEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(time.Hour, time.Hour)
		g.before = func(string) error { return cut() }
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := leases.Acquire(ctx, g, leases.Request{Role: "search"}); !errors.Is(err, context.DeadlineExceeded) || connect.CodeOf(err) != connect.CodeUnavailable {
			t.Errorf("%v", err)
		}
	})
}

// TestRequestIsPassedOn, with each lease and each renewal.
func TestRequestIsPassedOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(time.Hour, 24*time.Hour)
		h, err := leases.Acquire(t.Context(), g, leases.Request{Role: "search", TTL: 10 * time.Minute, Holder: "ci", Labels: map[string]string{"run": "7"}})
		if err != nil {
			t.Fatal(err)
		}
		made := h.Key().Lease()
		if made.GetRole() != "search" || made.GetHolder() != "ci" || made.GetLabels()["run"] != "7" || g.leases["lease-1"].GetState() != leasev1.LeaseState_LEASE_STATE_ACTIVE {
			t.Errorf("%v", made)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := h.Keep(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Keep: %v", err)
		}
		if n := g.count("renew"); n < 8 || n > 11 {
			t.Errorf("%d renewals of ten minutes in an hour", n)
		}
	})
}

// TestRenewalsAreSpread: what was made at one moment is not renewed at one.
func TestRenewalsAreSpread(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(time.Hour, 24*time.Hour)
		var all []*keeping
		for range 100 {
			all = append(all, keep(t, g))
		}
		time.Sleep(45 * time.Minute) //nolint:forbidigo // Simulated time.
		for _, k := range all {
			_ = k.end()
		}
		if len(g.at) != 100 {
			t.Fatalf("%d renewals", len(g.at))
		}
		if spread := g.at[99].Sub(g.at[0]); spread < 2*time.Minute {
			t.Errorf("100 renewals within %v", spread)
		}
	})
}

// TestRelease revokes the lease, and the one before, whose key may still be used. It
// tries again until it is done, or until there is no time left.
func TestRelease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(time.Hour, time.Hour)
		k := keep(t, g)
		time.Sleep(45 * time.Minute) //nolint:forbidigo // Simulated time.
		if err := k.end(); !errors.Is(err, context.Canceled) || g.alive() != 2 {
			t.Fatalf("%v, %d leases are alive", err, g.alive())
		}
		failures := 3
		g.before = func(string) error {
			if failures--; failures >= 0 {
				return cut()
			}
			return nil
		}
		if err := k.Release(t.Context()); err != nil || g.alive() != 0 {
			t.Errorf("%v, %d leases are alive", err, g.alive())
		}
	})
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(time.Hour, time.Hour)
		h, err := leases.Acquire(t.Context(), g, leases.Request{Role: "search"})
		if err != nil {
			t.Fatal(err)
		}
		g.before = func(string) error { return cut() }
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := h.Release(ctx); err == nil || !strings.Contains(err.Error(), "lease-1") {
			t.Errorf("%v", err)
		}
		time.Sleep(time.Hour) //nolint:forbidigo // Simulated time.
		calls := g.count("revoke")
		if err := h.Release(t.Context()); err != nil || g.count("revoke") != calls {
			t.Errorf("a lease that has ended is revoked: %v", err)
		}
	})
}

// TestReleaseOfALeaseThatIsOver is no error: somebody else has revoked it.
func TestReleaseOfALeaseThatIsOver(t *testing.T) {
	t.Parallel()
	g := newGateway(time.Hour, time.Hour)
	h, err := leases.Acquire(t.Context(), g, leases.Request{Role: "search"})
	if err != nil {
		t.Fatal(err)
	}
	g.change(func() { g.leases["lease-1"].State = leasev1.LeaseState_LEASE_STATE_REVOKED })
	if err := h.Release(t.Context()); err != nil || g.count("revoke") != 1 {
		t.Errorf("%v after %d calls", err, g.count("revoke"))
	}
}

// TestKeyPrintsNoSecret, whatever prints it.
func TestKeyPrintsNoSecret(t *testing.T) {
	t.Parallel()
	g := newGateway(time.Hour, time.Hour)
	h, err := leases.Acquire(t.Context(), g, leases.Request{Role: "search"})
	if err != nil {
		t.Fatal(err)
	}
	key := h.Key()
	for _, text := range []string{fmt.Sprint(key), fmt.Sprintf("%+v", key), fmt.Sprintf("%#v", key), fmt.Sprintf("%q", key), key.LogValue().String()} {
		if strings.Contains(text, key.Secret()) || !strings.Contains(text, "lease-1") {
			t.Errorf("%s", text)
		}
	}
}
