package broker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/service/roles"
)

// TestFailover: when the replica that leads is gone, another one does what is due. One
// that comes back late changes nothing any more.
func TestFailover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		other := r.another(t)
		first := NewKeeper(r.Broker, KeeperOptions{})
		term, err := r.ledger.Lead(t.Context(), r.Broker.o.Replica, DefaultTerm)
		if err != nil {
			t.Fatal(err)
		}
		keeper := keeping(t, other, KeeperOptions{})
		grant := create(t, r.Broker, request("1"))
		if _, err := r.Revoke(t.Context(), RevokeRequest{ID: grant.Lease.ID}); err != nil {
			t.Fatal(err)
		}
		pass(DefaultTerm / 2)
		if len(r.up.living()) != 1 {
			t.Fatal("a replica that does not lead revokes")
		}
		pass(DefaultTerm + time.Second)
		synctest.Wait()
		if len(r.up.living()) != 0 {
			t.Error("nobody has taken over")
		}
		if stats, err := keeper.Stats(t.Context()); err != nil || !stats.Leads {
			t.Errorf("%+v, %v", stats, err)
		}
		late := &worker{Keeper: first, term: term.Fence}
		row, err := r.Broker.Get(t.Context(), create(t, r.Broker, request("2")).Lease.ID)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := late.update(t.Context(), lease.Change{Record: row, Kind: EventKept}); !errors.Is(err, lease.ErrFenced) {
			t.Errorf("the leader before changes a lease: %v", err)
		}
	})
}

// TestStats: what waits, and since when.
func TestStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		grant := create(t, r.Broker, request("1"))
		if _, err := r.Revoke(t.Context(), RevokeRequest{ID: grant.Lease.ID}); err != nil {
			t.Fatal(err)
		}
		since := time.Now()
		r.up.behave(func(f *fakeUpstream) {
			f.fail = func(op string) error {
				if op == "delete_key" {
					return &UpstreamError{Outcome: Refused, Err: context.Canceled}
				}
				return nil
			}
		})
		keeper := keeping(t, r.Broker, KeeperOptions{Tick: 10 * time.Second})
		pass(Overdue + time.Minute)
		stats, err := keeper.Stats(t.Context())
		if err != nil || stats.Overdue != 1 || stats.OldestRevocation.Sub(since).Abs() > time.Second || stats.LastSweep.IsZero() {
			t.Errorf("%+v, %v", stats, err)
		}
	})
}

// TestSomebodyElseDeletes: a key that is deleted past the gateway ends its lease with the
// next renewal.
func TestSomebodyElseDeletes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		keeping(t, r.Broker, KeeperOptions{})
		grant := create(t, r.Broker, request("1"))
		delete(r.up.keys, grant.Lease.APIKeyID)
		if _, err := r.Renew(t.Context(), grant.Lease.ID, 2*time.Hour); reasonOf(err) != Over {
			t.Errorf("%v", err)
		}
		pass(10 * time.Second)
		synctest.Wait()
		pass(3 * time.Hour)
		synctest.Wait()
		if state := stateOf(t, r.Broker, grant.Lease.ID); state != lease.Revoked && state != lease.Expired {
			t.Errorf("it is %s", state)
		}
	})
}

// TestOverloaded: a lease that could not be revoked before it ends is refused, with the
// time after which it is not.
func TestOverloaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, role(func(d *roles.Definition) { d.TTL = new(10 * time.Minute); d.MaxLive = new(1000) }))
		for i := range 100 {
			grant := create(t, r.Broker, request(fmt.Sprint(i)))
			if _, err := r.Revoke(t.Context(), RevokeRequest{ID: grant.Lease.ID}); err != nil {
				t.Fatal(err)
			}
		}
		r.up.behave(func(f *fakeUpstream) { f.outlook = Outlook{PerMinute: 7} })
		pass(2 * time.Second)
		_, err := r.Create(t.Context(), request("one more"))
		refused, _ := errors.AsType[*Error](err)
		if refused == nil || refused.Reason != Overloaded || refused.RetryAfter < time.Minute {
			t.Fatalf("%v", err)
		}
		budget := make(chan struct{}, 1)
		r.up.behave(func(f *fakeUpstream) {
			f.during = func(op string) {
				if op == "delete_key" { // Seven a minute, as the outlook says.
					budget <- struct{}{}
					pass(time.Minute / 7)
					<-budget
				}
			}
		})
		keeping(t, r.Broker, KeeperOptions{})
		pass(refused.RetryAfter)
		create(t, r.Broker, request("one more"))
	})
}

// TestProlongingIsWrittenFirst: that a key may live longer is in the ledger before it is
// asked for, and whatever becomes of the answer, the key is deleted when its lease ends.
func TestProlongingIsWrittenFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		grant := create(t, r.Broker, request("1"))
		r.up.behave(func(f *fakeUpstream) {
			f.during = func(op string) {
				if op != "prolong" {
					return
				}
				row, err := r.ledger.Get(t.Context(), grant.Lease.Credential)
				if err != nil || !row.UpstreamExpires.After(grant.Lease.UpstreamExpires.Add(time.Hour)) {
					t.Errorf("a key is prolonged, and the ledger has %v, %v", row.UpstreamExpires, err)
				}
			}
		})
		r.up.behave(func(f *fakeUpstream) { f.lost = func(op string) bool { return op == "prolong" } })
		if _, err := r.Renew(t.Context(), grant.Lease.ID, 4*time.Hour); reasonOf(err) != NotMade {
			t.Errorf("%v", err)
		}
		row, err := r.Broker.Get(t.Context(), grant.Lease.ID)
		if err != nil || !row.Expires.Equal(grant.Lease.Expires) {
			t.Errorf("the lease ends at %v, %v", row.Expires, err)
		}
		keeping(t, r.Broker, KeeperOptions{Tick: 10 * time.Second, Term: time.Hour})
		pass(time.Hour + roles.DefaultGrace + time.Minute)
		synctest.Wait()
		if living := r.up.living(); len(living) != 0 {
			t.Errorf("%v live after the lease", living)
		}
	})
}

// TestRenewalsDoNotOvertake: of two renewals at once, on two replicas, the one with the
// later end holds.
func TestRenewalsDoNotOvertake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		other := r.another(t)
		grant := create(t, r.Broker, request("1"))
		first := true
		r.up.behave(func(f *fakeUpstream) {
			f.during = func(op string) {
				if op == "prolong" && first { // The first one is slow.
					first = false
					pass(time.Minute)
				}
			}
		})
		var both sync.WaitGroup
		both.Go(func() {
			if _, err := r.Renew(t.Context(), grant.Lease.ID, 3*time.Hour); err != nil {
				t.Error(err)
			}
		})
		pass(time.Second)
		both.Go(func() {
			if _, err := other.Renew(t.Context(), grant.Lease.ID, 5*time.Hour); err != nil {
				t.Error(err)
			}
		})
		both.Wait()
		row, err := r.Broker.Get(t.Context(), grant.Lease.ID)
		if err != nil || r.up.keys[row.APIKeyID].Expires.Before(row.Expires) {
			t.Errorf("the lease ends at %v, and its key at %v", row.Expires, r.up.keys[row.APIKeyID].Expires)
		}
	})
}

// TestSecretLost: a request whose secret is not kept any more says so, and its key is
// revoked: nobody has it.
func TestSecretLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		keeping(t, r.Broker, KeeperOptions{Tick: time.Second, Term: time.Hour})
		create(t, r.Broker, request("1"))
		pass(secretLife + time.Minute)
		for range 2 {
			if _, err := r.Create(t.Context(), request("1")); reasonOf(err) != SecretLost {
				t.Errorf("%v", err)
			}
		}
		pass(10 * time.Second)
		synctest.Wait()
		if living := r.up.living(); len(living) != 0 {
			t.Errorf("%v live", living)
		}
	})
}
