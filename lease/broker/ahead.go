package broker

import (
	"context"
	"errors"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/service/roles"
)

// ahead makes what is made before somebody asks: spares, and the keys of static roles.
func (w *worker) ahead(ctx context.Context) {
	w.every(ctx, slowTick, func(ctx context.Context) error {
		var failures []error
		for _, role := range w.b.o.Roles().All() {
			switch {
			case ctx.Err() != nil:
			case role.Static != nil:
				failures = append(failures, w.keepStatic(ctx, &role))
			case role.Spares > 0:
				failures = append(failures, w.keepSpares(ctx, &role))
			}
		}
		return errors.Join(failures...)
	})
}

// keepSpares makes spares where there are too few, and ends those that have become too
// old to be of use. Spares wait for budget behind everybody who waits for an answer.
func (w *worker) keepSpares(ctx context.Context, role *roles.Role) error {
	at := now()
	spare := 0
	var old []lease.Record
	err := w.b.pool(ctx, role.Name, func(row lease.Record) error {
		switch {
		case row.Seated > 0:
		case row.State == lease.Intent:
			spare++
		case row.MaxExpires.Sub(at) < role.TTL/2, row.Expires.Sub(at) < role.TTL/4:
			// The next lease would have little of it; another one is made.
			old = append(old, row)
		default:
			spare++
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, row := range old {
		change, _, err := over(row, at, CauseUnused, false)
		if err != nil {
			return err
		}
		if _, err := w.update(ctx, change); err != nil && !retryable(err) {
			return err
		}
	}
	for ; spare < role.Spares; spare++ {
		row := w.b.newCredential(role, "", at, whole(at.Add(role.TTL)), role.Share)
		row.RequestID = forPool + "spare/" + row.ID
		created, err := w.b.o.Ledger.Create(ctx, lease.Draft{Record: row, Limits: roleLimits(role)})
		if limit := (*lease.LimitError)(nil); errors.As(err, &limit) {
			return nil // The role has as many as it may.
		}
		if err != nil {
			return err
		}
		w.b.fill(role, created.Record, Errand{Role: role.Name, Cause: "spare", Urgency: Background})
	}
	return nil
}

// sweeps compares the ledger with the upstream, once in an interval.
func (w *worker) sweeps(ctx context.Context) {
	for {
		w.mu.Lock()
		wait := w.o.SweepInterval - time.Since(w.swept)
		w.mu.Unlock()
		timer := time.NewTimer(max(wait, 0))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		progress, err := w.b.Reconcile(ctx, ReconcileRequest{}, func(f Finding) error {
			switch {
			case f.Orphan != nil:
				w.b.o.Logger.WarnContext(ctx, "a key has the gateway's mark and no lease; it is revoked", "role", f.Orphan.Role, "api_key_id", f.Orphan.APIKeyID, "service_account_id", f.Orphan.ServiceAccountID, "lease", f.Lease)
			case f.Missing != nil:
				w.b.o.Logger.WarnContext(ctx, "the key of a lease is not there: somebody else has deleted it", "role", f.Missing.Role, "api_key_id", f.Missing.APIKeyID)
			case f.Err != nil:
				w.b.o.Logger.WarnContext(ctx, "the keys of a project could not be compared with the leases", "project_id", f.Failed, "error", f.Err)
			}
			return nil
		})
		if ctx.Err() != nil {
			return
		}
		if err != nil || progress.Failures > 0 {
			// The age of the last whole sweep goes on growing, and the next one comes sooner.
			if pause(ctx, min(w.o.SweepInterval, time.Minute)) != nil {
				return
			}
			continue
		}
		w.note(func() { w.swept = time.Now() })
	}
}
