//go:build unix

package leases

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/processtest"
)

// Play is a workload under kills, and what is looked at behind it.
type Play struct {
	House HouseOptions
	// Seed draws what tenants and the upstream do.
	Seed    uint64
	Points  []Point
	Tenants int
	// Calm leaves the gateways running behind the workload until nothing is due any more.
	// Without it they are killed at once: whatever was begun is left as it is.
	Calm Calm
	// Log gets what was measured. It is required.
	Log func(format string, args ...any)
}

// Calm says what is waited for when the workload is over.
type Calm int

// What is waited for.
const (
	// NoCalm: nothing.
	NoCalm Calm = iota
	// Revoked: every key that is to be deleted is.
	Revoked
	// Settled: nothing is left of what the kills have interrupted either, which an intent
	// is for the two minutes in which it could still be sent, and some seconds.
	Settled
)

// calmLimit bounds the wait. What was due when the last leader was killed has the time of
// its term, and an intent its own.
func (c Calm) limit() time.Duration {
	if c == Settled {
		return 5 * time.Minute
	}
	return time.Minute
}

// Run plays, and returns what must not be.
func (p Play) Run(ctx context.Context) (found []Violation, err error) {
	h, err := NewHouse(ctx, p.House)
	defer func() { err = errors.Join(err, h.Close()) }()
	if err != nil {
		return nil, err
	}
	diary := NewDiary()
	if err := p.work(ctx, h, diary); err != nil {
		return nil, err
	}
	if p.Calm != NoCalm {
		if err := h.calm(ctx, p.Calm); err != nil {
			return nil, err
		}
	}
	if err := h.Kill(); err != nil {
		return nil, err
	}
	rows, err := h.export(ctx)
	if err != nil {
		return nil, err
	}
	keys := h.Upstream.Journal.All()
	p.Log("%s, seed %d: %d points, %d keys made, %d of them alive, %d leases, %d rows in the ledger; %s",
		p.House.Ledger, p.Seed, len(p.Points), len(keys), alive(keys), len(diary.holds), len(rows), diary.summary())
	c := check{rows: rows, keys: keys, diary: diary, calm: p.Calm, now: time.Now(), alive: h.Upstream.KeyAlive}
	found = append(c.run(), diary.faults...)
	if _, err := h.tool(ctx, "lease", "ledger", "check"); err != nil {
		found = append(found, Violation{Damaged, err.Error()})
	}
	secrets, err := h.searchSecrets(diary.secrets)
	if err != nil {
		return nil, err
	}
	found = append(found, secrets...)
	// The gateways are gone for good, and the ledger too.
	if err := h.ForgetLedger(ctx); err != nil {
		return nil, err
	}
	last := c.lastEnd()
	h.Upstream.SetClock(last)
	for _, key := range h.Upstream.Journal.All() {
		if key.Alive {
			found = append(found, Violation{Outlives, fmt.Sprintf("key %s is alive at %s, when the last lease has ended", key.Name, last.UTC().Format(time.RFC3339))})
		}
	}
	return found, nil
}

func alive(keys []Key) (n int) {
	for _, k := range keys {
		if k.Alive {
			n++
		}
	}
	return n
}

func (d *Diary) summary() string {
	parts := make([]string, 0, len(d.calls))
	for _, rpc := range slices.Sorted(maps.Keys(d.calls)) {
		parts = append(parts, fmt.Sprintf("%s %d (%d unknown)", rpc, d.calls[rpc], d.unknown[rpc]))
	}
	return strings.Join(parts, ", ")
}

// work has the tenants work while gateways are killed at one point after the other.
func (p Play) work(ctx context.Context, h *House, diary *Diary) error {
	working, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	for n := range p.Tenants {
		all.Go(func() { NewTenant(h, diary, p.Seed, n).Live(working) })
	}
	all.Go(func() {
		h.Upstream.Weather(working, rand.New(rand.NewPCG(p.Seed, 2))) //nolint:gosec // The same weather for the same seed.
	})
	err := p.kill(ctx, h)
	stop()
	all.Wait()
	return err
}

// kill kills and starts gateways.
func (p Play) kill(ctx context.Context, h *House) error {
	hits := make(map[string]int)
	var failure error
	for n, point := range p.Points {
		var victim *processtest.Gateway
		h.trap.await(ctx, point, func(gateway int, hit bool) {
			if gateway == anyGateway {
				gateway = n % len(h.Gateways)
			}
			victim = h.Gateways[gateway]
			failure = errors.Join(failure, victim.Kill())
			verdict := "missed"
			if hit {
				verdict = "hit"
			}
			hits[fmt.Sprintf("%s %s %s", verdict, point.Call, point.Phase)]++
		})
		if victim == nil {
			return context.Cause(ctx)
		}
		if err := processtest.Pause(ctx, point.Down); err != nil {
			return err
		}
		if err := errors.Join(failure, victim.Start(ctx)); err != nil {
			return fmt.Errorf("point %d, %s: %w", n, point, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(hits)) {
		p.Log("%4d %s", hits[name], name)
	}
	return nil
}

// calm waits until nothing is due, has the keys compared with the leases, and waits again.
func (h *House) calm(ctx context.Context, calm Calm) error {
	if err := h.quiet(ctx, calm); err != nil {
		return err
	}
	operator := NewTenant(h, NewDiary(), 0, 0)
	if operator.try(ctx, rpcReconcile, reconcile, nil) != done {
		return errors.New("the keys could not be compared with the leases")
	}
	return h.quiet(ctx, calm)
}

// quiet waits until no row is in a state that something is to be done about.
func (h *House) quiet(ctx context.Context, calm Calm) error {
	busy := []string{"REVOKING", "ORPHAN"}
	if calm == Settled {
		busy = append(busy, "INTENT")
	}
	return processtest.Until(ctx, calm.limit(), func(ctx context.Context) error {
		page, err := h.Gateways[0].OpsPage(ctx, "/metrics")
		if err != nil {
			return err
		}
		if !strings.Contains(page, "\ngateway_leases{") {
			return errors.New("the gateway counts no leases")
		}
		for line := range strings.Lines(page) {
			if !strings.HasPrefix(line, "gateway_leases{") || strings.HasSuffix(strings.TrimSpace(line), " 0") {
				continue
			}
			for _, state := range busy {
				if strings.Contains(line, `state="`+state+`"`) {
					return fmt.Errorf("not quiet after %s: %s", calm.limit(), line)
				}
			}
		}
		return nil
	})
}
