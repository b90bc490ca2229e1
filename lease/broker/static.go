package broker

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/service/roles"
)

// quiet is how long a key that was replaced has not been used before it is deleted, and
// quietLook is between two looks.
const (
	quiet     = 10 * time.Minute
	quietLook = 5 * time.Minute
)

// Static is the key of a static role.
type Static struct {
	// Credential is the current one, Previous the one before while it works.
	Credential, Previous lease.Record
	Secret               lease.Secret
	// Next is when it is replaced, Overlap how long the one before works at the least.
	Next    time.Time
	Overlap time.Duration
}

// ReadStatic returns the current key of a static role, and makes the first one.
func (b *Broker) ReadStatic(ctx context.Context, caller, name string) (Static, error) {
	role, err := b.staticRole(name)
	if err != nil {
		return Static{}, err
	}
	current, previous, err := b.statics(ctx, role)
	if err != nil {
		return Static{}, ledgerError(err)
	}
	if current.ID == "" {
		if current, err = b.rotateStatic(ctx, role, "after/first", Errand{Caller: caller, Role: name, Cause: "static", Urgency: Mint}); err != nil {
			return Static{}, err
		}
	}
	return b.static(ctx, role, current, previous)
}

// RotateStatic replaces the key of a static role now. The same request does it once.
func (b *Broker) RotateStatic(ctx context.Context, caller, name, requestID string) (Static, error) {
	role, err := b.staticRole(name)
	if err != nil {
		return Static{}, err
	}
	current, err := b.rotateStatic(ctx, role, "request/"+caller+"/"+requestID, Errand{Caller: caller, Role: name, Cause: "rotate", Urgency: Mint})
	if err != nil {
		return Static{}, err
	}
	_, previous, err := b.statics(ctx, role)
	if err != nil {
		return Static{}, ledgerError(err)
	}
	return b.static(ctx, role, current, previous)
}

func (b *Broker) staticRole(name string) (*roles.Role, error) {
	role, ok := b.o.Roles().Lookup(name)
	switch {
	case !ok:
		return nil, &Error{Reason: NoRole}
	case role.Static == nil:
		return nil, &Error{Reason: NotStatic}
	}
	return &role, nil
}

func (b *Broker) static(ctx context.Context, role *roles.Role, current, previous lease.Record) (Static, error) {
	secret, err := b.secretOf(ctx, role, &current)
	if errors.Is(err, lease.ErrNoSecret) || errors.Is(err, lease.ErrSecretLost) {
		return Static{}, &Error{Reason: SecretLost, LeaseID: current.ID}
	}
	if err != nil {
		return Static{}, ledgerError(err)
	}
	return Static{Credential: current, Previous: previous, Secret: secret, Next: current.Created.Add(role.Static.RotationPeriod), Overlap: role.Static.Overlap}, nil
}

// statics are the current key of a static role, and the newest before it.
func (b *Broker) statics(ctx context.Context, role *roles.Role) (current, previous lease.Record, err error) {
	err = b.walk(ctx, lease.Query{
		Role: role.Name, Rows: lease.CredentialRows, States: []lease.State{lease.Issued, lease.Active},
	}, func(row lease.Record) error {
		if hasPurpose(&row, forStatic) && now().Before(row.Expires) {
			current, previous = row, current // They come in the order of their ids.
		}
		return nil
	})
	return current, previous, err
}

// rotateStatic makes another key of a static role. The newest that is there is the
// current one. Those who ask for the same turn get the same key.
func (b *Broker) rotateStatic(ctx context.Context, role *roles.Role, turn string, errand Errand) (lease.Record, error) {
	for {
		at := now()
		row := b.newCredential(role, forStatic+turn, at, whole(at.Add(role.MaxTTL)), 0)
		created, err := b.o.Ledger.Create(ctx, lease.Draft{Record: row, Limits: lease.NoLimits()})
		if err != nil {
			return row, ledgerError(err)
		}
		row = created.Record
		if !created.Repeated {
			errand.Lease = row.ID
			b.fill(role, row, errand)
		}
		row, err = b.settled(ctx, row.ID, func(r *lease.Record) bool { return r.State != lease.Intent })
		switch {
		case errors.Is(err, lease.ErrNotFound):
			if !created.Repeated {
				return row, b.seats.of(role.Name).failureOf(created.Record.ID)
			}
			continue // It was not made, and is forgotten.
		case ctx.Err() != nil:
			return row, &Error{Reason: InProgress, RetryAfter: time.Second, Err: err}
		case err != nil:
			return row, ledgerError(err)
		case open(&row):
			return row, nil
		case row.State == lease.Doubtful, row.Cause == CauseAnswerLost:
			// Nobody has it, and it is revoked. Another one takes its turn.
			turn = "after/" + row.ID
			continue
		}
		if turn == "after/first" || created.Repeated {
			turn = "after/" + row.ID // That one is over.
			continue
		}
		return row, &Error{Reason: NotMade, RetryAfter: time.Second}
	}
}

// keepStatic rotates a static role when it is time, and ends the keys before the current
// one when their overlap is over and nobody uses them any more.
func (w *worker) keepStatic(ctx context.Context, role *roles.Role) error {
	at := now()
	var all []lease.Record
	err := w.b.walk(ctx, lease.Query{
		Role: role.Name, Rows: lease.CredentialRows, States: []lease.State{lease.Issued, lease.Active},
	}, func(row lease.Record) error {
		if hasPurpose(&row, forStatic) {
			all = append(all, row)
		}
		return nil
	})
	if err != nil {
		return err
	}
	current := lease.Record{}
	if len(all) > 0 {
		current = all[len(all)-1]
	}
	if current.ID == "" || !at.Before(current.Created.Add(role.Static.RotationPeriod)) {
		send, cancel := context.WithTimeout(ctx, longestMint)
		defer cancel()
		errand := Errand{Role: role.Name, Cause: "schedule", Urgency: Background}
		_, err := w.b.rotateStatic(send, role, "after/"+cmp.Or(current.ID, "first"), errand)
		return err
	}
	return w.retire(ctx, role, all, at)
}

// retire ends those keys of a static role whose overlap is over, and that are quiet: who
// uses one is its witness.
func (w *worker) retire(ctx context.Context, role *roles.Role, all []lease.Record, at time.Time) error {
	var due []lease.Record
	for i := range all[:len(all)-1] {
		replaced := all[i+1].Created
		if !at.Before(replaced.Add(role.Static.Overlap)) && !at.Before(all[i].NextAttempt) {
			due = append(due, all[i])
		}
	}
	if len(due) == 0 {
		return nil
	}
	used, err := w.lastUsed(ctx, role.Project)
	if err != nil {
		return err
	}
	for _, row := range due {
		last, there := used[row.APIKeyID]
		if there && at.Sub(last) < quiet {
			row.NextAttempt = whole(at.Add(quietLook))
			if _, err := w.update(ctx, lease.Change{Record: row, Kind: EventKept}); err != nil && !retryable(err) {
				return err
			}
			continue
		}
		change, _, err := over(row, at, CauseRotated, false)
		if err != nil {
			return err
		}
		if _, err := w.update(ctx, change); err != nil && !retryable(err) {
			return err
		}
	}
	return nil
}

// lastUsed is when the keys of a project that have the gateway's mark were last used.
func (w *worker) lastUsed(ctx context.Context, project string) (map[string]time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, longestSweep)
	defer cancel()
	used := make(map[string]time.Time)
	for key, err := range w.b.o.Upstream.Keys(ctx, Errand{Cause: "retire", Urgency: Background}, project) {
		if err != nil {
			return nil, err
		}
		if _, _, ours := w.b.o.Marker.Parse(key.Name); ours {
			used[key.ID] = key.LastUsed
		}
	}
	return used, nil
}
