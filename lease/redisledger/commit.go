package redisledger

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/internal/layout"
)

// commit is what scriptCommit reads.
type commit struct {
	Token   string   `json:"token"`
	Events  int      `json:"events"`
	New     *newRow  `json:"new,omitempty"`
	Changes []change `json:"changes"`
}

// row is what is kept of a record in its head.
type row struct {
	ID       string   `json:"id"`
	State    string   `json:"state"`
	Identity string   `json:"identity"`
	X        []string `json:"x"`
	N        []string `json:"n"`
}

type newRow struct {
	row

	Version uint64  `json:"version"`
	Request string  `json:"request"`
	Owner   string  `json:"owner,omitempty"`
	Life    int64   `json:"life"`
	Limits  []limit `json:"limits"`
	Mints   *mints  `json:"mints,omitempty"`
}

type limit struct {
	Name  lease.Limit `json:"name"`
	Group string      `json:"group"`
	Max   int         `json:"max"`
}

type mints struct {
	Name  lease.Limit `json:"name"`
	Group string      `json:"group"`
	First string      `json:"first"`
	Max   int         `json:"max"`
}

type change struct {
	row

	Version uint64 `json:"version"`
	Fence   uint64 `json:"fence"`
	Term    uint64 `json:"term"`
	From    string `json:"from"`
	Secret  string `json:"secret"` // set, keep or none
	Release bool   `json:"release"`
}

func (l *Ledger) newRowOf(r *lease.Record) newRow {
	return newRow{row: l.rowOf(r), Version: r.Version, Request: layout.RequestGroup(r)}
}

func (l *Ledger) rowOf(r *lease.Record) row {
	keys := l.o.form.keys(r)
	return row{ID: r.ID, State: layout.Letter(r.State), Identity: r.Identity(), X: keys.Index, N: keys.Counted}
}

// Create implements [lease.Ledger].
func (l *Ledger) Create(ctx context.Context, draft lease.Draft) (lease.Created, error) {
	d, err := layout.Draft(draft, l.o.Sealer != nil)
	if err != nil {
		return lease.Created{}, err
	}
	r := &d.Record
	first := l.newRowOf(r)
	if d.Owner != "" {
		first.Owner, first.Life = d.Owner, d.ClaimLife.Milliseconds()
	}
	if r.Credential == r.ID {
		first.Limits = append(first.Limits, limit{lease.RoleLive, layout.LiveRoleGroup(r.Role), d.Limits.RoleLive})
	}
	if r.Caller != "" {
		first.Limits = append(first.Limits, limit{lease.CallerLive, layout.LiveCallerGroup(r.Caller), d.Limits.CallerLive})
		if d.Limits.CallerMints != lease.Unlimited {
			since := lease.FirstID(r.Created.Add(-d.Limits.MintWindow + time.Millisecond))
			first.Mints = &mints{lease.CallerMints, layout.MadeGroup(r.Caller), since, d.Limits.CallerMints}
		}
	}
	reply, err := l.commit(ctx, &first, r, d.With)
	if err != nil {
		return lease.Created{}, err
	}
	switch text(reply, 0) {
	case "LIMIT":
		return lease.Created{}, d.Limits.Refusal(lease.Limit(text(reply, 1)), layout.ID(text(reply, 2)))
	case "REPEATED":
		was, err := layout.Decode([]byte(text(reply, 2)))
		// The answer to this very create may have been lost.
		return lease.Created{Record: was, Repeated: was.ID != r.ID}, err
	}
	d.Record.Fence = number(text(reply, 1))
	created := lease.Created{Record: d.Record}
	for i := range d.With {
		created.With = append(created.With, d.With[i].After())
	}
	return created, nil
}

// Update implements [lease.Ledger].
func (l *Ledger) Update(ctx context.Context, changes ...lease.Change) ([]lease.Record, error) {
	changes, err := layout.Changes(changes, l.o.Sealer != nil)
	if err != nil || len(changes) == 0 {
		return nil, err
	}
	if _, err := l.commit(ctx, nil, nil, changes); err != nil {
		return nil, err
	}
	records := make([]lease.Record, 0, len(changes))
	for i := range changes {
		records = append(records, changes[i].After())
	}
	return records, nil
}

func (l *Ledger) commit(ctx context.Context, first *newRow, r *lease.Record, changes []lease.Change) ([]any, error) {
	control := commit{Token: newToken(), Events: l.o.Events, New: first, Changes: make([]change, 0, len(changes))}
	args := []any{nil}
	add := func(r *lease.Record, secret []byte, kind lease.EventKind) error {
		record, err := layout.Encode(r)
		if err != nil {
			return err
		}
		event, err := json.Marshal(lease.Event{Kind: kind, At: time.Now().UTC().Truncate(time.Millisecond), Record: *r})
		args = append(args, record, secret, event)
		return err
	}
	if first != nil {
		if err := add(r, nil, lease.EventCreated); err != nil {
			return nil, err
		}
	}
	for i := range changes {
		c := &changes[i]
		out := change{
			row: l.rowOf(&c.Record), Version: c.Record.Version - 1, Fence: c.Record.Fence,
			Term: c.Term, From: letters(c.Record.State.From()), Release: c.Release,
		}
		var sealed []byte
		switch {
		case c.Record.SecretUntil.IsZero():
			out.Secret = "none"
		case c.Secret.IsZero():
			out.Secret = "keep"
		default:
			out.Secret = "set"
			sealed = l.o.Sealer.Seal(c.Secret.Reveal(), layout.Associated(c.Record.ID))
		}
		control.Changes = append(control.Changes, out)
		if err := add(&c.Record, sealed, c.Kind); err != nil {
			return nil, err
		}
	}
	var err error
	if args[0], err = json.Marshal(control); err != nil {
		return nil, err
	}
	reply, err := l.run(ctx, l.scripts.commit, args...)
	if err == nil && text(reply, 0) == "TRANSITION" {
		i := number(text(reply, 1))
		return nil, &lease.TransitionError{From: letterState(text(reply, 2)), To: changes[i-1].Record.State}
	}
	return reply, err
}

// imported is what scriptImport reads.
type imported struct {
	Token string   `json:"token"`
	Rows  []newRow `json:"rows"`
}

// Import implements [lease.Ledger].
func (l *Ledger) Import(ctx context.Context, records []lease.Record) error {
	records, err := layout.Imported(records)
	if err != nil || len(records) == 0 {
		return err
	}
	control := imported{Token: newToken()}
	args := []any{nil}
	for i := range records {
		data, err := layout.Encode(&records[i])
		if err != nil {
			return err
		}
		control.Rows = append(control.Rows, l.newRowOf(&records[i]))
		args = append(args, data)
	}
	if args[0], err = json.Marshal(control); err != nil {
		return err
	}
	_, err = l.run(ctx, l.scripts.imports, args...)
	return err
}

// Claim implements [lease.Ledger].
func (l *Ledger) Claim(ctx context.Context, id, owner string, life time.Duration) (lease.Record, error) {
	if err := layout.Claim(owner, life); err != nil {
		return lease.Record{}, err
	}
	reply, err := l.run(ctx, l.scripts.claim, id, owner, life.Milliseconds())
	if err != nil {
		return lease.Record{}, err
	}
	r, err := layout.Decode([]byte(text(reply, 2)))
	r.Fence = number(text(reply, 1))
	return r, err
}

// Release implements [lease.Ledger].
func (l *Ledger) Release(ctx context.Context, id string, fence uint64) error {
	_, err := l.run(ctx, l.scripts.release, id, fence)
	return err
}

// Forget implements [lease.Ledger].
func (l *Ledger) Forget(ctx context.Context, id string, version uint64) error {
	var ends []lease.State
	for _, s := range lease.States() {
		if s.Final() {
			ends = append(ends, s)
		}
	}
	reply, err := l.run(ctx, l.scripts.forget, id, version, letters(ends))
	if err == nil && text(reply, 0) == "TRANSITION" {
		return fmt.Errorf("%w: it has not ended", lease.ErrTransition)
	}
	return err
}

// Lead implements [lease.Ledger].
func (l *Ledger) Lead(ctx context.Context, replica string, life time.Duration) (lease.Term, error) {
	if err := layout.Claim(replica, life); err != nil {
		return lease.Term{}, err
	}
	until := time.Now().Add(life)
	reply, err := l.run(ctx, l.scripts.lead, replica, life.Milliseconds())
	if err != nil {
		return lease.Term{}, err
	}
	return lease.Term{Replica: replica, Fence: number(text(reply, 1)), Until: until}, nil
}

// Resign implements [lease.Ledger].
func (l *Ledger) Resign(ctx context.Context, term lease.Term) error {
	_, err := l.run(ctx, l.scripts.resign, term.Fence)
	return err
}

func letters(states []lease.State) string {
	var b strings.Builder
	for _, s := range states {
		b.WriteString(layout.Letter(s))
	}
	return b.String()
}
