package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/service/roles"
)

// pass lets the time of a bubble pass.
func pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // A bubble's clock.
}

func create(t *testing.T, b *Broker, q CreateRequest) Grant {
	t.Helper()
	grant, err := b.Create(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return grant
}

func stateOf(t *testing.T, b *Broker, id string) lease.State {
	t.Helper()
	row, err := b.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return row.State
}

// TestALife: created, renewed up to its latest end, and over by itself, with one call to
// make the key and one for each renewal. Nothing is deleted.
func TestALife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		keeping(t, r.Broker, KeeperOptions{SweepInterval: 1000 * time.Hour, Tick: 20 * time.Second, Term: time.Hour})
		grant := create(t, r.Broker, request("1"))
		if grant.Secret.IsZero() || grant.Repeated || grant.Lease.State != lease.Issued || grant.Lease.Expires.Sub(grant.Lease.Created) != time.Hour ||
			grant.Lease.UpstreamExpires.Sub(grant.Lease.Expires) != roles.DefaultGrace {
			t.Fatalf("%+v", grant.Lease)
		}
		again := create(t, r.Broker, request("1"))
		if !again.Repeated || again.Lease.ID != grant.Lease.ID || string(again.Secret.Reveal()) != string(grant.Secret.Reveal()) {
			t.Errorf("%+v", again)
		}
		for range 30 {
			pass(50 * time.Minute)
			row, err := r.Renew(t.Context(), grant.Lease.ID, 0)
			if reasonOf(err) == Over {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if row.State != lease.Active || row.Expires.After(grant.Lease.MaxExpires) || len(r.up.living()) != 1 {
				t.Fatalf("%+v", row)
			}
		}
		if after := create(t, r.Broker, request("2")); after.Lease.ID == grant.Lease.ID {
			t.Error("another request has the same lease")
		}
		pass(24*time.Hour + roles.DefaultGrace - time.Since(grant.Lease.Created) + 3*time.Second)
		synctest.Wait()
		if state := stateOf(t, r.Broker, grant.Lease.ID); state != lease.Expired {
			t.Errorf("it is %s", state)
		}
		if n := r.up.count("delete_key"); n != 0 {
			t.Errorf("%d deletions", n)
		}
		if end := r.up.ever["key_0002"]; end.After(grant.Lease.MaxExpires.Add(roles.DefaultGrace)) {
			t.Errorf("the key ended at %v, and the lease at %v", end, grant.Lease.MaxExpires)
		}
	})
}

// TestOneMintARequest: the same request at once, on two replicas, is one mint.
func TestOneMintARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		other := r.another(t)
		r.up.behave(func(f *fakeUpstream) {
			f.during = func(op string) {
				if op == "create_key" {
					pass(2 * time.Second)
				}
			}
		})
		grants := make([]Grant, 20)
		var all sync.WaitGroup
		for i := range grants {
			all.Go(func() {
				b := []*Broker{r.Broker, other}[i%2]
				var err error
				if grants[i], err = b.Create(t.Context(), request("1")); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for _, grant := range grants {
			if grant.Lease.ID != grants[0].Lease.ID || string(grant.Secret.Reveal()) != string(grants[0].Secret.Reveal()) {
				t.Errorf("%+v", grant.Lease)
			}
		}
		if n := r.up.count("create_key"); n != 1 {
			t.Errorf("%d mints", n)
		}
	})
}

// TestRevoke: it is durable at once that the key is deleted, and then it is.
func TestRevoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		grant := create(t, r.Broker, request("1"))
		row, err := r.Revoke(t.Context(), RevokeRequest{ID: grant.Lease.ID, ByOwner: true})
		if err != nil || row.State != lease.Revoking || row.Cause != CauseRevokedByOwner {
			t.Fatalf("%+v, %v", row, err)
		}
		if _, err := r.Renew(t.Context(), grant.Lease.ID, 0); reasonOf(err) != Over {
			t.Errorf("it is renewed: %v", err)
		}
		failing := true
		r.up.behave(func(f *fakeUpstream) {
			f.fail = func(op string) error {
				if op == "delete_key" && failing {
					return &UpstreamError{Outcome: Unknown, Err: context.DeadlineExceeded}
				}
				return nil
			}
		})
		keeping(t, r.Broker, KeeperOptions{Tick: 5 * time.Second, Term: time.Hour})
		pass(time.Minute)
		if len(r.up.living()) != 1 || stateOf(t, r.Broker, grant.Lease.ID) != lease.Revoking {
			t.Error("the test has no effect")
		}
		failing = false
		row, err = r.Revoke(t.Context(), RevokeRequest{ID: grant.Lease.ID, Wait: true, Urgent: true})
		if err != nil || row.State != lease.Revoked || row.Ended.IsZero() || len(r.up.living()) != 0 {
			t.Errorf("%+v, %v, %v", row, err, r.up.living())
		}
		if _, err := r.Create(t.Context(), request("1")); reasonOf(err) != Over {
			t.Errorf("the request again: %v", err)
		}
	})
}

// TestLostAnswers: nobody knows whether the key was made. It is found by its mark and
// deleted, or its time is over.
func TestLostAnswers(t *testing.T) {
	for name, made := range map[string]bool{"made": true, "not made": false} {
		for _, kind := range []string{"key", "account"} {
			t.Run(name+" "+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, role(func(d *roles.Definition) {
						if d.Kind = kind; kind == "account" {
							d.ServiceAccount = ""
						}
					}))
					keeping(t, r.Broker, KeeperOptions{Tick: 5 * time.Second, Term: time.Hour})
					if made {
						r.up.behave(func(f *fakeUpstream) { f.lost = func(op string) bool { return op == "create_key" } })
					} else {
						r.up.behave(func(f *fakeUpstream) {
							f.fail = func(op string) error {
								if op == "create_key" {
									return &UpstreamError{Outcome: Unknown, Err: context.DeadlineExceeded}
								}
								return nil
							}
						})
					}
					_, err := r.Create(t.Context(), request("1"))
					if reasonOf(err) != Doubtful {
						t.Fatalf("%v", err)
					}
					if _, err := r.Create(t.Context(), request("1")); reasonOf(err) != Doubtful {
						t.Errorf("again: %v", err)
					}
					pass(time.Minute)
					if living := r.up.living(); len(living) != 0 {
						t.Errorf("%v live", living)
					}
					pass(2 * time.Hour)
					synctest.Wait()
					var states []lease.State
					for _, row := range rows(t, r.Broker) {
						states = append(states, row.State)
					}
					want := []lease.State{lease.Revoked, lease.Revoked}
					if !made && kind == "key" {
						want = []lease.State{lease.Aborted, lease.Aborted}
					}
					if !slices.Equal(states, want) {
						t.Errorf("%v", states)
					}
					if kind == "account" && len(r.up.accounts) != 0 {
						t.Error("the account is left")
					}
				})
			})
		}
	}
}

// rows are all that the ledger has.
func rows(t *testing.T, b *Broker) (all []lease.Record) {
	t.Helper()
	if err := b.walk(t.Context(), lease.Query{}, func(r lease.Record) error { all = append(all, r); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestNotSent: what was not sent leaves nothing, and the same request can be made again.
func TestNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, definition := range []roles.Definition{role(nil), role(func(d *roles.Definition) { d.Share = new(5) })} {
			r := newRig(t, definition)
			r.up.behave(func(f *fakeUpstream) {
				f.fail = func(op string) error {
					if op == "create_key" {
						return &UpstreamError{Outcome: NotSent, RetryAfter: 7 * time.Second, Err: context.DeadlineExceeded}
					}
					return nil
				}
			})
			_, err := r.Create(t.Context(), request("1"))
			if e, _ := errors.AsType[*Error](err); e == nil || e.Reason != NotMade || e.RetryAfter != 7*time.Second {
				t.Fatalf("%v", err)
			}
			if all := rows(t, r.Broker); len(all) != 0 {
				t.Errorf("left: %+v", all)
			}
			r.up.behave(func(f *fakeUpstream) { f.fail = nil })
			if grant := create(t, r.Broker, request("1")); grant.Repeated || grant.Secret.IsZero() {
				t.Errorf("%+v", grant)
			}
		}
	})
}

// TestShare: 500 workers start within a second, and there are ten mints.
func TestShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, role(func(d *roles.Definition) { d.Share = new(50) }))
		other := r.another(t)
		r.up.behave(func(f *fakeUpstream) {
			f.during = func(op string) {
				if op == "create_key" {
					pass(3 * time.Second)
				}
			}
		})
		var all sync.WaitGroup
		var mu sync.Mutex
		secrets := make(map[string]int)
		for i := range 500 {
			all.Go(func() {
				grant, err := []*Broker{r.Broker, other}[i%2].Create(t.Context(), request(fmt.Sprint(i)))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				secrets[string(grant.Secret.Reveal())]++
			})
		}
		all.Wait()
		if n := r.up.count("create_key"); n > 10 || len(secrets) > 10 {
			t.Errorf("%d mints, %d keys", n, len(secrets))
		}
		for secret, n := range secrets {
			if n > 50 || r.up.keys[secret[3:]] == nil {
				t.Errorf("%d have %s", n, secret)
			}
		}
		// They leave, and the last one takes the key along.
		keeping(t, r.Broker, KeeperOptions{Tick: 5 * time.Second, Term: time.Hour})
		for _, row := range rows(t, r.Broker) {
			if !row.IsCredential() {
				all.Go(func() {
					if _, err := r.Revoke(t.Context(), RevokeRequest{ID: row.ID, ByOwner: true}); err != nil {
						t.Error(err)
					}
				})
			}
		}
		all.Wait()
		pass(2 * time.Minute)
		synctest.Wait()
		if living := r.up.living(); len(living) != 0 {
			t.Errorf("%d keys live", len(living))
		}
		for _, row := range rows(t, r.Broker) {
			if row.State != lease.Revoked {
				t.Errorf("%s is %s", row.ID, row.State)
			}
		}
	})
}

// TestExpireAtOnce: 1,000 leases end at once, and no call is made.
func TestExpireAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, role(func(d *roles.Definition) { d.MaxLive = new(2000) }))
		keeping(t, r.Broker, KeeperOptions{SweepInterval: 1000 * time.Hour, Tick: 20 * time.Second, Term: time.Hour})
		var all sync.WaitGroup
		for i := range 1000 {
			all.Go(func() {
				if _, err := r.Create(t.Context(), request(fmt.Sprint(i))); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		before := r.up.made()
		pass(2 * time.Hour)
		synctest.Wait()
		if after := r.up.made(); after != before {
			t.Errorf("%d calls", after-before)
		}
		for _, row := range rows(t, r.Broker) {
			if row.State != lease.Expired {
				t.Fatalf("%s is %s", row.ID, row.State)
			}
		}
		if living := r.up.living(); len(living) != 0 {
			t.Errorf("%d keys live", len(living))
		}
	})
}

// TestRotate: the lease has another key, and the one before works for the overlap.
func TestRotate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		keeping(t, r.Broker, KeeperOptions{Tick: 5 * time.Second, Term: time.Hour})
		grant := create(t, r.Broker, request("1"))
		rotated, err := r.Rotate(t.Context(), RotateRequest{ID: grant.Lease.ID, RequestID: "a", Overlap: 10 * time.Minute})
		if err != nil || rotated.Lease.APIKeyID == grant.Lease.APIKeyID || rotated.Secret.IsZero() || rotated.Previous.APIKeyID != grant.Lease.APIKeyID {
			t.Fatalf("%+v, %v", rotated, err)
		}
		again, err := r.Rotate(t.Context(), RotateRequest{ID: grant.Lease.ID, RequestID: "a", Overlap: 10 * time.Minute})
		if err != nil || again.Lease.APIKeyID != rotated.Lease.APIKeyID || string(again.Secret.Reveal()) != string(rotated.Secret.Reveal()) {
			t.Fatalf("%+v, %v", again, err)
		}
		pass(9 * time.Minute)
		if living := r.up.living(); len(living) != 2 {
			t.Errorf("%v live in the overlap", living)
		}
		pass(2 * time.Minute)
		if living := r.up.living(); len(living) != 1 {
			t.Errorf("%v live after the overlap", living)
		}
		for i := range 5 {
			if _, err := r.Rotate(t.Context(), RotateRequest{ID: grant.Lease.ID, RequestID: fmt.Sprint(i), Overlap: time.Hour}); err != nil {
				t.Fatal(err)
			}
		}
		pass(10 * time.Second)
		if living := r.up.living(); len(living) != 2 {
			t.Errorf("%v live after five rotations", living)
		}
		if _, err := r.Revoke(t.Context(), RevokeRequest{ID: grant.Lease.ID, ByOwner: true}); err != nil {
			t.Fatal(err)
		}
		pass(10 * time.Second)
		if living := r.up.living(); len(living) != 0 {
			t.Errorf("%v live after the revocation", living)
		}
	})
}

// TestReconcile: a ledger that is lost leaves keys with the mark, which are revoked, and
// a key that a person has named so is not touched.
func TestReconcile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		grant := create(t, r.Broker, request("1"))
		lost := newRig(t)
		lost.up = r.up
		lost.Broker.o.Upstream = r.up
		account := r.up.keys[grant.Lease.APIKeyID].ServiceAccountID
		r.up.keys["key_person"] = &FoundKey{ProjectID: "proj_search", ServiceAccountID: account, ID: "key_person", Name: grant.Lease.CredentialName + "x", Expires: time.Now().Add(time.Hour)}
		pass(2 * time.Minute)
		var found []Finding
		note := func(f Finding) error {
			if f.Done == nil {
				found = append(found, f)
			}
			return nil
		}
		if _, err := lost.Reconcile(t.Context(), ReconcileRequest{DryRun: true}, note); err != nil || len(found) != 1 || found[0].Lease != grant.Lease.Credential || len(rows(t, lost.Broker)) != 0 {
			t.Fatalf("%+v, %v", found, err)
		}
		found = nil
		if _, err := lost.Reconcile(t.Context(), ReconcileRequest{}, note); err != nil || len(found) != 1 {
			t.Fatalf("%+v, %v", found, err)
		}
		keeping(t, lost.Broker, KeeperOptions{})
		pass(time.Minute)
		if living := r.up.living(); len(living) != 1 || living[0] != grant.Lease.CredentialName+"x" {
			t.Errorf("%v live", living)
		}
		found = nil
		if _, err := r.Reconcile(t.Context(), ReconcileRequest{}, note); err != nil || len(found) != 1 || found[0].Missing == nil {
			t.Errorf("the ledger that has the lease: %+v, %v", found, err)
		}
		r.up.behave(func(f *fakeUpstream) {
			f.fail = func(string) error { return &UpstreamError{Outcome: NotSent, Err: context.DeadlineExceeded} }
		})
		found = nil
		if _, err := r.Reconcile(t.Context(), ReconcileRequest{}, note); err != nil || len(found) != 1 || found[0].Failed != "proj_search" {
			t.Errorf("without the upstream: %+v, %v", found, err)
		}
	})
}

// TestStatic: a static role always has a key, which is replaced on schedule and on
// command, and the one before goes when it is quiet.
func TestStatic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, role(func(d *roles.Definition) {
			d.Static, d.RotationPeriod, d.Overlap = true, new(6*time.Hour), new(time.Hour)
		}))
		first, err := r.ReadStatic(t.Context(), "team", "search")
		if err != nil || first.Secret.IsZero() {
			t.Fatal(err)
		}
		if _, err := r.Create(t.Context(), request("1")); reasonOf(err) != NotStatic {
			t.Errorf("a lease of a static role: %v", err)
		}
		keeping(t, r.Broker, KeeperOptions{Tick: 20 * time.Second, Term: time.Hour})
		pass(6*time.Hour + time.Minute)
		second, err := r.ReadStatic(t.Context(), "team", "search")
		if err != nil || second.Credential.APIKeyID == first.Credential.APIKeyID || second.Previous.APIKeyID != first.Credential.APIKeyID {
			t.Fatalf("%+v, %v", second, err)
		}
		use := func() {
			r.up.mu.Lock()
			defer r.up.mu.Unlock()
			r.up.keys[first.Credential.APIKeyID].LastUsed = time.Now()
		}
		for range 30 {
			use()
			pass(5 * time.Minute)
		}
		if living := r.up.living(); len(living) != 2 {
			t.Errorf("a key that is used is gone: %v", living)
		}
		pass(30 * time.Minute)
		if living := r.up.living(); len(living) != 1 {
			t.Errorf("a quiet key is left: %v", living)
		}
		third, err := r.RotateStatic(t.Context(), "team", "search", "now")
		if err != nil || third.Credential.APIKeyID == second.Credential.APIKeyID {
			t.Fatalf("%+v, %v", third, err)
		}
		again, err := r.RotateStatic(t.Context(), "team", "search", "now")
		if err != nil || again.Credential.APIKeyID != third.Credential.APIKeyID {
			t.Errorf("the same command again: %+v, %v", again, err)
		}
	})
}

// TestSpares: they are made ahead, taken without a call, and made again.
func TestSpares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, role(func(d *roles.Definition) { d.Spares = new(3) }))
		keeping(t, r.Broker, KeeperOptions{Tick: 5 * time.Second, Term: time.Hour})
		pass(time.Minute)
		if living := r.up.living(); len(living) != 3 {
			t.Fatalf("%d spares", len(living))
		}
		before := r.up.made()
		for i := range 3 {
			create(t, r.Broker, request(fmt.Sprint(i)))
		}
		if after := r.up.made(); after != before {
			t.Errorf("%d calls for leases that spares are there for", after-before)
		}
		pass(time.Minute)
		if living := r.up.living(); len(living) != 6 {
			t.Errorf("%d keys", len(living))
		}
		if _, err := r.Revoke(t.Context(), RevokeRequest{ID: rowsOf(t, r.Broker, "team")[0].ID}); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		if living := r.up.living(); len(living) != 5 {
			t.Errorf("%d keys after a revocation", len(living))
		}
	})
}

func rowsOf(t *testing.T, b *Broker, caller string) []lease.Record {
	t.Helper()
	page, err := b.List(t.Context(), lease.Query{Caller: caller, PageSize: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return page.Records
}
