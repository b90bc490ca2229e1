package ledgertest

import (
	"errors"
	"sync"
	"testing"

	"github.com/admin-gateway/admin-gateway/lease"
)

// contractAccounts: of the accounts that are kept for one name at once, one stays, and
// all are told which.
func contractAccounts(t *testing.T, s Subject) {
	ctx, first, second := t.Context(), s.Replica(t), s.Replica(t)
	if _, err := first.Account(ctx, "proj_a", "search"); !errors.Is(err, lease.ErrNotFound) {
		t.Fatalf("an account that nobody kept: %v", err)
	}
	var all sync.WaitGroup
	kept := make([]lease.ServiceAccount, 8)
	for i := range kept {
		all.Go(func() {
			replica := []lease.Ledger{first, second}[i%2]
			var err error
			kept[i], err = replica.KeepAccount(ctx, lease.ServiceAccount{ProjectID: "proj_a", Name: "search", ID: "svc_" + string(rune('a'+i))})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	winner := kept[0]
	for _, other := range kept {
		if other != winner {
			t.Fatalf("two accounts of one name: %v and %v", winner, other)
		}
	}
	for id, want := range map[string]bool{winner.ID: true, "search": false, "svc_z": false} {
		got, err := second.AccountByID(ctx, id)
		if want && (err != nil || got != winner) || !want && !errors.Is(err, lease.ErrNotFound) {
			t.Errorf("%s: %v, %v", id, got, err)
		}
	}
	other := winner
	other.ID = "svc_z"
	if err := second.ForgetAccount(ctx, other); err != nil {
		t.Fatal(err)
	}
	if got, err := first.Account(ctx, "proj_a", "search"); err != nil || got != winner {
		t.Fatalf("forgotten by another's id: %v, %v", got, err)
	}
	if err := second.ForgetAccount(ctx, winner); err != nil {
		t.Fatal(err)
	}
	if _, err := first.Account(ctx, "proj_a", "search"); !errors.Is(err, lease.ErrNotFound) {
		t.Fatalf("after it was forgotten: %v", err)
	}
	if _, err := first.AccountByID(ctx, winner.ID); !errors.Is(err, lease.ErrNotFound) {
		t.Errorf("its id is still there: %v", err)
	}
	if _, err := first.KeepAccount(ctx, lease.ServiceAccount{ProjectID: "proj_a", Name: "a\nb", ID: "x"}); !errors.Is(err, lease.ErrInvalid) {
		t.Errorf("a name with a line break: %v", err)
	}
}
