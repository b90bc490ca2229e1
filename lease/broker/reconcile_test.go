package broker

import (
	"context"
	"errors"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/admin-gateway/admin-gateway/service/roles"
)

// paged is an upstream whose lists cannot go on when something was deleted meanwhile: the
// next page continues after an id that is not there.
type paged struct {
	*fakeUpstream

	deleted int
}

var errNoCursor = &UpstreamError{Outcome: Refused, Err: errors.New("no such cursor")}

func (p *paged) DeleteKey(ctx context.Context, e Errand, project, id string) error {
	p.deleted++
	return p.fakeUpstream.DeleteKey(ctx, e, project, id)
}

func (p *paged) DeleteAccount(ctx context.Context, e Errand, project, id string) error {
	p.deleted++
	return p.fakeUpstream.DeleteAccount(ctx, e, project, id)
}

func (p *paged) Keys(ctx context.Context, e Errand, project string) iter.Seq2[FoundKey, error] {
	return walkOf(p, p.fakeUpstream.Keys(ctx, e, project))
}

func (p *paged) Accounts(ctx context.Context, e Errand, project string) iter.Seq2[FoundAccount, error] {
	return walkOf(p, p.fakeUpstream.Accounts(ctx, e, project))
}

func walkOf[T any](p *paged, all iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		before := p.deleted
		for item, err := range all {
			if p.deleted != before {
				var none T
				yield(none, errNoCursor)
				return
			}
			if !yield(item, err) {
				return
			}
		}
	}
}

// TestClearedBehindTheList: keys and accounts whose time is over are cleared away, and a
// list of them does not end for it in the middle.
func TestClearedBehindTheList(t *testing.T) {
	for _, kind := range []roles.Kind{roles.Key, roles.Account} {
		t.Run(string(kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, role(func(d *roles.Definition) {
					if kind == roles.Account {
						d.Kind, d.ServiceAccount = string(kind), ""
					}
				}))
				up := &paged{fakeUpstream: r.up}
				r.Broker.o.Upstream = up
				for _, id := range []string{"1", "2", "3"} {
					create(t, r.Broker, request(id))
				}
				keeping(t, r.Broker, KeeperOptions{SweepInterval: 24 * time.Hour})
				pass(2 * time.Hour)
				if _, err := r.Reconcile(t.Context(), ReconcileRequest{}, func(f Finding) error { return f.Err }); err != nil {
					t.Fatal(err)
				}
				if left := len(r.up.keys); left > 0 || kind == roles.Account && len(r.up.accounts) > 0 {
					t.Errorf("%d keys and %d accounts are left", left, len(r.up.accounts))
				}
			})
		})
	}
}
