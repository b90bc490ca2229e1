package ledgertest

import (
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
)

func contractClaims(t *testing.T, s Subject) {
	replicas := []lease.Ledger{s.Replica(t), s.Replica(t)}
	r := Create(t, replicas[0], NewDraft("1"))
	for turn := range uint64(3) {
		var all sync.WaitGroup
		var won atomic.Int32
		for i := range 8 {
			all.Go(func() {
				got, err := replicas[i%2].Claim(t.Context(), r.ID, strconv.Itoa(i), lease.MaxClaim)
				switch {
				case err == nil && got.Fence == turn+1:
					won.Add(1)
				case !errors.Is(err, lease.ErrClaimed):
					t.Errorf("fence %d: %v", got.Fence, err)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d have the claim", won.Load())
		}
		_, err := replicas[0].Update(t.Context(), Step(t, r, lease.Issued))
		want(t, err, lease.ErrClaimed)
		if turn == 0 { // It is given back, or ends by itself.
			if err := replicas[0].Release(t.Context(), r.ID, turn+1); err != nil {
				t.Fatal(err)
			}
			continue
		}
		s.Lapse(t)
	}
	// The same owner keeps the claim, with the same number.
	for range 2 {
		if got, err := replicas[0].Claim(t.Context(), r.ID, "me", time.Minute); err != nil || got.Fence != 4 {
			t.Fatalf("%d, %v", got.Fence, err)
		}
	}
	// A short claim ends by the ledger's own clock.
	short := Create(t, replicas[0], NewDraft("2"))
	if _, err := replicas[0].Claim(t.Context(), short.ID, "me", time.Millisecond); err != nil {
		t.Fatal(err)
	}
}

func contractFences(t *testing.T, s Subject) {
	l, other := s.Replica(t), s.Replica(t)
	d := NewDraft("1")
	d.Owner, d.ClaimLife = "creator", time.Minute
	r := Create(t, l, d)
	if r.Fence != 1 {
		t.Fatalf("fence %d", r.Fence)
	}
	s.Lapse(t)
	// Nobody has taken over: the work counts.
	r = Advance(t, l, r, lease.Doubtful)
	late := Step(t, r, lease.Revoking)
	taken, err := other.Claim(t.Context(), r.ID, "other", time.Minute)
	if err != nil || taken.Fence != 2 {
		t.Fatalf("%d, %v", taken.Fence, err)
	}
	_, err = l.Update(t.Context(), late)
	want(t, err, lease.ErrFenced)
	if err := l.Release(t.Context(), r.ID, r.Fence); err != nil { // It is not theirs.
		t.Fatal(err)
	}
	c := Step(t, taken, lease.Revoking)
	c.Release = true
	records, err := other.Update(t.Context(), c)
	if err != nil || records[0].Fence != 0 {
		t.Fatalf("%+v, %v", records, err)
	}
	_, err = l.Update(t.Context(), late)
	want(t, err, lease.ErrFenced)
	Advance(t, l, records[0], lease.Revoked) // The claim was given back.
}

func contractLeader(t *testing.T, s Subject) {
	l, other := s.Replica(t), s.Replica(t)
	before := time.Now()
	first, err := l.Lead(t.Context(), "gw-1", time.Minute)
	if err != nil || first.Fence != 1 || first.Until.After(time.Now().Add(time.Minute)) || first.Until.Before(before) {
		t.Fatalf("%+v, %v", first, err)
	}
	_, err = other.Lead(t.Context(), "gw-2", time.Minute)
	want(t, err, lease.ErrClaimed)
	if again, err := l.Lead(t.Context(), "gw-1", time.Minute); err != nil || again.Fence != 1 {
		t.Fatalf("%+v, %v", again, err)
	}
	r := Advance(t, l, Create(t, l, NewDraft("1")), lease.Issued)
	led := func(next lease.State, term lease.Term) error {
		c := Step(t, r, next)
		c.Term = term.Fence
		records, err := l.Update(t.Context(), c)
		if err == nil {
			r = records[0]
		}
		return err
	}
	s.Lapse(t)
	second, err := other.Lead(t.Context(), "gw-2", time.Minute)
	if err != nil || second.Fence != 2 {
		t.Fatalf("%+v, %v", second, err)
	}
	want(t, led(lease.Revoking, first), lease.ErrFenced)
	if err := l.Resign(t.Context(), first); err != nil { // It is over.
		t.Fatal(err)
	}
	_, err = l.Lead(t.Context(), "gw-1", time.Minute)
	want(t, err, lease.ErrClaimed)
	if err := errors.Join(led(lease.Revoking, second), other.Resign(t.Context(), second)); err != nil {
		t.Fatal(err)
	}
	if third, err := l.Lead(t.Context(), "gw-1", time.Minute); err != nil || third.Fence != 3 {
		t.Fatalf("%+v, %v", third, err)
	}
}

// contractSeats lets many leases at once take the seats of one credential.
func contractSeats(t *testing.T, s Subject) {
	const seats, callers = 4, 8
	l := s.Replica(t)
	d := NewDraft("shared")
	d.Record.Caller, d.Record.Seats = "", seats
	shared := Advance(t, l, Create(t, l, d), lease.Issued)
	var all sync.WaitGroup
	var sat atomic.Int32
	for i := range callers {
		all.Go(func() {
			for {
				credential, err := l.Get(t.Context(), shared.ID)
				if err != nil || credential.Seated == credential.Seats {
					return
				}
				d := NewDraft(strconv.Itoa(i))
				d.Record.Credential = shared.ID
				credential.Seated++
				d.With = []lease.Change{{Record: credential, Kind: "seated"}}
				d.Limits.RoleLive = 0 // It is no credential of its own.
				switch _, err := l.Create(t.Context(), d); {
				case err == nil:
					sat.Add(1)
					return
				case !errors.Is(err, lease.ErrConflict):
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if sat.Load() != seats {
		t.Fatalf("%d leases have one of %d seats", sat.Load(), seats)
	}
	if n := len(All(t, l, lease.Query{Caller: Caller, PageSize: 3})); n != seats {
		t.Fatalf("%d leases", n)
	}
}

// contractMany lets many workers bring leases through their lives at once.
func contractMany(t *testing.T, s Subject) {
	const workers, each = 6, 8
	replicas := []lease.Ledger{s.Replica(t), s.Replica(t)}
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			l := replicas[w%2]
			for i := range each {
				d := NewDraft(strconv.Itoa(w*each + i))
				d.Owner, d.ClaimLife = strconv.Itoa(w), time.Minute
				created, err := l.Create(t.Context(), d)
				if err != nil {
					t.Error(err)
					return
				}
				r := created.Record
				for _, next := range [][]lease.State{{lease.Issued, lease.Active, lease.Revoking, lease.Revoked}, {lease.Doubtful}, {lease.Issued}}[i%3] {
					records, err := l.Update(t.Context(), Step(t, r, next))
					if err != nil {
						t.Errorf("%v: %v", next, err)
						return
					}
					r = records[0]
				}
			}
		})
	}
	all.Wait()
	total := 0
	counts, err := replicas[0].Counts(t.Context())
	for _, c := range counts {
		total += c.N
	}
	if err != nil || total != workers*each || len(counts) != 3 {
		t.Errorf("%+v, %v", counts, err)
	}
}
