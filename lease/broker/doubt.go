package broker

import (
	"context"
	"errors"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
)

// shortestDoubt is the first pause between two looks for a doubtful key: lists of the
// upstream may be behind.
const shortestDoubt = 15 * time.Second

// doubts looks for keys of which nobody knows whether they were made. Doubt has an end:
// when it has expired, a key is dead whether it was made or not.
func (w *worker) doubts(ctx context.Context) {
	w.every(ctx, w.o.Tick, func(ctx context.Context) error {
		looked := make(map[place]*sighting)
		var failures []error
		err := w.due(ctx, lease.DueDoubt, now(), func(rows []lease.Record) error {
			for _, row := range rows {
				if !row.IsCredential() {
					failures = append(failures, w.followDoubtful(ctx, row))
					continue
				}
				failures = append(failures, ignoreChanged(w.doubt(ctx, looked, row)))
			}
			return nil
		})
		return errors.Join(append(failures, err)...)
	})
}

func (w *worker) followDoubtful(ctx context.Context, row lease.Record) error {
	err := w.follow(ctx, []lease.Record{row})
	current, getErr := w.b.o.Ledger.Get(ctx, row.ID)
	if getErr != nil || current.Version != row.Version {
		return err
	}
	row.Attempts++
	return errors.Join(err, ignoreChanged(w.postpone(ctx, row, backoff(row.Attempts))))
}

// place is where doubtful credentials of a kind are looked for.
type place struct {
	project string
	kind    lease.Kind
}

// sighting is what a look at a place has found: the credentials by their names.
type sighting struct {
	found map[string][]lease.Record
	err   error
}

// doubt ends the doubt about a credential, or says when to look again.
func (w *worker) doubt(ctx context.Context, looked map[place]*sighting, row lease.Record) error {
	at := now()
	known := row.APIKeyID != "" && row.Kind == lease.Key || row.ServiceAccountID != "" && row.Kind == lease.Account
	switch {
	case !at.Before(row.UpstreamExpires) && row.Kind == lease.Key:
		moved, err := lease.Move(row, lease.Aborted, at, CauseAnswerLost)
		if err != nil {
			return err
		}
		_, err = w.update(ctx, lease.Change{Record: moved, Kind: EventEnded})
		return err
	case known:
		return w.found(ctx, row, nil)
	}
	where := place{row.ProjectID, row.Kind}
	if looked[where] == nil {
		looked[where] = w.look(ctx, where)
	}
	saw := looked[where]
	if found := saw.found[row.CredentialName]; len(found) > 0 {
		return w.found(ctx, row, found)
	}
	if !at.Before(row.UpstreamExpires) && saw.err == nil {
		// An account of its own is not there, so neither is a key of it.
		moved, err := lease.Move(row, lease.Aborted, at, CauseAnswerLost)
		if err != nil {
			return err
		}
		_, err = w.update(ctx, lease.Change{Record: moved, Kind: EventEnded})
		return err
	}
	row.Attempts++
	wait := min(shortestDoubt<<min(row.Attempts-1, 10), w.o.SweepInterval)
	return errors.Join(saw.err, w.postpone(ctx, row, max(wait, retryAfter(saw.err))))
}

// look reads the names of a place.
func (w *worker) look(ctx context.Context, where place) *sighting {
	ctx, cancel := context.WithTimeout(ctx, longestSweep)
	defer cancel()
	saw := &sighting{found: make(map[string][]lease.Record)}
	errand := Errand{Cause: "doubt", Urgency: Background}
	note := func(name string, ids lease.Record) {
		if _, _, ours := w.b.o.Marker.Parse(name); ours {
			saw.found[name] = append(saw.found[name], ids)
		}
	}
	if where.kind == lease.Account {
		for account, err := range w.b.o.Upstream.Accounts(ctx, errand, where.project) {
			if err != nil {
				saw.err = err
				break
			}
			note(account.Name, lease.Record{ServiceAccountID: account.ID})
		}
		return saw
	}
	for key, err := range w.b.o.Upstream.Keys(ctx, errand, where.project) {
		if err != nil {
			saw.err = err
			break
		}
		note(key.Name, lease.Record{ServiceAccountID: key.ServiceAccountID, APIKeyID: key.ID})
	}
	return saw
}

// found revokes a doubtful credential that is there: all that have its name.
func (w *worker) found(ctx context.Context, row lease.Record, all []lease.Record) error {
	if len(all) > 0 {
		row.ServiceAccountID, row.APIKeyID = all[0].ServiceAccountID, all[0].APIKeyID
	}
	moved, err := lease.Move(row, lease.Revoking, now(), CauseAnswerLost)
	if err != nil {
		return err
	}
	moved.NextAttempt = now()
	for _, another := range all[min(1, len(all)):] {
		another.ProjectID, another.Role, another.Kind, another.CredentialName = row.ProjectID, row.Role, row.Kind, row.CredentialName
		another.UpstreamExpires = row.UpstreamExpires
		if _, err := w.b.orphan(ctx, another); err != nil {
			return err
		}
	}
	if _, err := w.update(ctx, lease.Change{Record: moved, Kind: EventEnding}); err != nil {
		return err
	}
	if id := ownerOf(&row); id != "" {
		owner, err := w.b.o.Ledger.Get(ctx, id)
		if err != nil {
			return ignoreChanged(err)
		}
		return w.follow(ctx, []lease.Record{owner})
	}
	return nil
}

// never is the end of what does not end by itself.
func never(at time.Time) time.Time { return at.AddDate(100, 0, 0) }

// orphan writes down a credential that has the gateway's mark and no record, to be
// revoked. known has what is known of it.
func (b *Broker) orphan(ctx context.Context, known lease.Record) (lease.Record, error) {
	at := now()
	known.ID, known.Created, known.NextAttempt, known.State, known.Cause = lease.NewID(at), at, at, lease.Orphan, CauseNotRecorded
	known.Credential = known.ID
	known.RequestID = forOrphan + known.APIKeyID
	if known.Kind == lease.Account {
		known.RequestID = forOrphan + known.ServiceAccountID
	}
	if known.UpstreamExpires.IsZero() {
		known.UpstreamExpires = never(at)
	}
	created, err := b.o.Ledger.Create(ctx, lease.Draft{Record: known, Limits: lease.NoLimits()})
	if err == nil {
		b.tell()
	}
	return created.Record, err
}
