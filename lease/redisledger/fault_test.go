package redisledger

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/faultproxy"
	"github.com/admin-gateway/admin-gateway/internal/redistest"
	"github.com/admin-gateway/admin-gateway/internal/timetest"
	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/ledgertest"
)

// behindProxy returns a ledger behind a bad network, and one that is not.
func behindProxy(t *testing.T) (*faultproxy.Proxy, *Ledger, *Ledger) {
	t.Helper()
	server := redistest.Start(t)
	proxy := faultproxy.New(t, server)
	options := testOptions(t)
	near := open(t, newClient(t, server), options)
	options.BreakerPause = time.Millisecond
	return proxy, open(t, newClient(t, proxy.Addr()), options), near
}

// lose lets f's first script reach Redis, and loses its answer by cutting the
// connection once Redis has run it. f is done when lose returns.
func lose(t *testing.T, proxy *faultproxy.Proxy, near *Ledger, f func()) {
	t.Helper()
	before := scriptsRun(t, near)
	proxy.Set(faultproxy.Hold)
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	timetest.Eventually(t, "a script runs", func() bool { return scriptsRun(t, near) > before })
	proxy.Cut()
	proxy.Set(faultproxy.None)
	<-done
}

// scriptsRun is how many scripts Redis has run.
func scriptsRun(t *testing.T, l *Ledger) uint64 {
	t.Helper()
	stats, err := l.client.Info(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	_, scripts, _ := strings.Cut(stats, "cmdstat_evalsha:calls=")
	calls, _, _ := strings.Cut(scripts, ",")
	return number(calls)
}

// TestLostAnswersChangeOnce: an answer that is lost is asked for again, and what was
// done is not done twice: neither a lease, nor a version, nor an event.
func TestLostAnswersChangeOnce(t *testing.T) {
	t.Parallel()
	proxy, far, near := behindProxy(t)
	// The server knows all scripts, so that each call is one command.
	for i := range 2 {
		r := ledgertest.Advance(t, near, ledgertest.Create(t, near, ledgertest.NewDraft("w"+strconv.Itoa(i))), lease.Issued)
		if _, err := near.Claim(t.Context(), r.ID, "me", time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	d := ledgertest.NewDraft("1")
	d.Owner, d.ClaimLife = "me", time.Minute
	var r lease.Record
	lose(t, proxy, near, func() {
		created, err := far.Create(t.Context(), d)
		if err != nil || created.Repeated || created.Record.Fence != 1 || created.Record.ID != d.Record.ID {
			t.Errorf("create: %+v, %v", created, err)
		}
		r = created.Record
	})
	lose(t, proxy, near, func() {
		records, err := far.Update(t.Context(), ledgertest.Step(t, r, lease.Issued))
		if err != nil || records[0].Version != 2 {
			t.Errorf("update: %+v, %v", records, err)
			return
		}
		r = records[0]
	})
	lose(t, proxy, near, func() {
		if got, err := far.Claim(t.Context(), r.ID, "me", time.Minute); err != nil || got.Fence != 1 {
			t.Errorf("claim: %d, %v", got.Fence, err)
		}
	})
	info, err := near.Info(t.Context())
	got, getErr := near.Get(t.Context(), r.ID)
	if err = errors.Join(err, getErr); err != nil || info.Sequence != 6 || got.Version != 2 {
		t.Errorf("%d events, version %d, %v", info.Sequence, got.Version, err)
	}
	ledgertest.Sound(t, near)
}

// TestRefusedConnections: without Redis every method says so, at once or when its
// timeout is over, and after it comes back the ledger is as it was.
func TestRefusedConnections(t *testing.T) {
	t.Parallel()
	proxy, far, near := behindProxy(t)
	r := ledgertest.Create(t, far, ledgertest.NewDraft("1"))
	proxy.Refuse()
	for name, try := range map[string]func(context.Context) error{
		"create": func(ctx context.Context) error { _, err := far.Create(ctx, ledgertest.NewDraft("2")); return err },
		"update": func(ctx context.Context) error {
			_, err := far.Update(ctx, ledgertest.Step(t, r, lease.Issued))
			return err
		},
		"claim":    func(ctx context.Context) error { _, err := far.Claim(ctx, r.ID, "me", time.Second); return err },
		"release":  func(ctx context.Context) error { return far.Release(ctx, r.ID, 1) },
		"forget":   func(ctx context.Context) error { return far.Forget(ctx, r.ID, 1) },
		"get":      func(ctx context.Context) error { _, err := far.Get(ctx, r.ID); return err },
		"secret":   func(ctx context.Context) error { _, err := far.Secret(ctx, r.ID); return err },
		"list":     func(ctx context.Context) error { _, err := far.List(ctx, lease.Query{PageSize: 1}); return err },
		"counts":   func(ctx context.Context) error { _, err := far.Counts(ctx); return err },
		"events":   func(ctx context.Context) error { _, err := far.Events(ctx, lease.EventQuery{PageSize: 1}); return err },
		"lead":     func(ctx context.Context) error { _, err := far.Lead(ctx, "gw-1", time.Second); return err },
		"check":    func(ctx context.Context) error { _, err := far.Check(ctx); return err },
		"info":     func(ctx context.Context) error { _, err := far.Info(ctx); return err },
		"findings": func(ctx context.Context) error { _, err := far.Findings(ctx); return err },
		"due": func(ctx context.Context) error {
			_, err := far.Due(ctx, lease.DueQuery{Kind: lease.DueExpiry, PageSize: 1})
			return err
		},
	} {
		if err := try(t.Context()); !errors.Is(err, lease.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	proxy.Listen(t)
	got, err := near.Get(t.Context(), r.ID)
	if err != nil || got.State != lease.Intent || ledgertest.Sound(t, near) != 1 {
		t.Errorf("%v, %v", got.State, err)
	}
}

// TestLostData: a ledger whose data are gone is not an empty one.
func TestLostData(t *testing.T) {
	t.Parallel()
	client := newClient(t, redistest.Start(t))
	l := open(t, client, testOptions(t))
	r := ledgertest.Create(t, l, ledgertest.NewDraft("1"))
	lost := func(when string) {
		t.Helper()
		for name, try := range map[string]func() error{
			"create": func() error { _, err := l.Create(t.Context(), ledgertest.NewDraft("1")); return err },
			"get":    func() error { _, err := l.Get(t.Context(), r.ID); return err },
			"list":   func() error { _, err := l.List(t.Context(), lease.Query{PageSize: 1}); return err },
			"lead":   func() error { _, err := l.Lead(t.Context(), "gw-1", time.Second); return err },
		} {
			if err := try(); !errors.Is(err, lease.ErrLost) {
				t.Errorf("%s, %s: %v", when, name, err)
			}
		}
	}
	for range 2 { // The second time, its successor.
		if err := client.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		lost("gone")
		open(t, client, testOptions(t))
		lost("begun anew")
	}
}
