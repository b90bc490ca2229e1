package broker

import (
	"context"
	"errors"
	"hash/maphash"
	"slices"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
)

const (
	// longestSweep bounds the look at one project.
	longestSweep = 10 * time.Minute
	// lag is how far the lists of the upstream may be behind.
	lag = time.Minute
	// clearedAtOnce bounds the keys that a sweep clears away in a project which have
	// expired, and the accounts: the rest is for the next one.
	clearedAtOnce = 20
)

// ReconcileRequest asks for a comparison of the ledger with the keys upstream.
type ReconcileRequest struct {
	// Projects are those to look into; none: those of all roles and credentials.
	Projects []string
	// DryRun changes nothing.
	DryRun bool
	// Caller is who asks; empty: the gateway.
	Caller string
}

// Finding is something that a comparison has found. One of its parts is set.
type Finding struct {
	// Orphan is a key, or an account, with the gateway's mark and no record; Lease is
	// the id in its mark, Made and Ends are when it was made and when it ends by itself.
	Orphan     *lease.Record
	Lease      string
	Made, Ends time.Time
	// Missing is a credential whose key is not there.
	Missing *lease.Record
	// Failed is a project that could not be looked at, and why.
	Failed string
	Err    error
	// Done is progress: how much was looked at.
	Done *Progress
}

// Progress is how far a comparison has come.
type Progress struct {
	// Keys are those with the gateway's mark that were looked at, Projects those of the
	// Known ones whose keys were.
	Keys, Projects, Known int
	// ToRevoke are the keys that are going to be deleted, Failures the projects that
	// could not be looked at.
	ToRevoke, Failures int
}

// Reconcile compares the ledger with the keys upstream, and revokes what has the
// gateway's mark and no lease. It looks at one project at a time, and at one page of it
// at a time. emit gets what it finds, and ends it with an error.
func (b *Broker) Reconcile(ctx context.Context, q ReconcileRequest, emit func(Finding) error) (Progress, error) {
	projects, err := b.projects(ctx, q.Projects)
	if err != nil {
		return Progress{}, ledgerError(err)
	}
	r := &reconciler{b: b, q: q, emit: emit, seed: maphash.MakeSeed()}
	r.progress.Known = len(projects)
	for _, project := range projects {
		err := r.project(ctx, project)
		if emitErr := (*emitError)(nil); errors.As(err, &emitErr) {
			return r.progress, emitErr.err
		}
		r.progress.Projects++
		if err != nil {
			if ctx.Err() != nil {
				return r.progress, ctx.Err()
			}
			r.progress.Failures++
			if err := r.tell(Finding{Failed: project, Err: err}); err != nil {
				return r.progress, err
			}
		}
		done := r.progress
		if err := r.tell(Finding{Done: &done}); err != nil {
			return r.progress, err
		}
	}
	return r.progress, nil
}

// projects are those that are given, or all that may have credentials.
func (b *Broker) projects(ctx context.Context, given []string) ([]string, error) {
	if len(given) > 0 {
		return given, nil
	}
	all := make(map[string]bool)
	for _, role := range b.o.Roles().All() {
		all[role.Project] = true
	}
	err := b.walk(ctx, lease.Query{Rows: lease.CredentialRows, States: liveStates()}, func(r lease.Record) error {
		all[r.ProjectID] = true
		return nil
	})
	var list []string
	for project := range all {
		list = append(list, project)
	}
	slices.Sort(list)
	return list, err
}

func liveStates() []lease.State {
	return slices.DeleteFunc(lease.States(), func(s lease.State) bool { return !s.Live() })
}

type reconciler struct {
	b        *Broker
	q        ReconcileRequest
	emit     func(Finding) error
	seed     maphash.Seed
	progress Progress
}

// emitError is an error of emit, which ends everything.
type emitError struct{ err error }

func (e *emitError) Error() string { return e.err.Error() }
func (e *emitError) Unwrap() error { return e.err }

func (r *reconciler) tell(f Finding) error {
	if err := r.emit(f); err != nil {
		return &emitError{err}
	}
	return nil
}

func (r *reconciler) errand(urgency Urgency) Errand {
	return Errand{Caller: r.q.Caller, Cause: "reconcile", Urgency: urgency}
}

func (r *reconciler) project(ctx context.Context, project string) error {
	ctx, cancel := context.WithTimeout(ctx, longestSweep)
	defer cancel()
	// What has ended is cleared away behind the lists: a page of them may continue after
	// what would be gone, and waits for nobody who has budget to spare.
	var over ended
	if err := r.compare(ctx, project, &over); err != nil {
		return err
	}
	for i := range over.keys {
		r.clear(ctx, over.keys[i])
	}
	for _, id := range over.accounts {
		r.clearAccount(ctx, project, id)
	}
	return nil
}

// ended are things of a project whose time is over: clearedAtOnce of each at the most.
type ended struct {
	keys     []FoundKey
	accounts []string
}

func (r *reconciler) compare(ctx context.Context, project string, over *ended) error {
	began := now()
	// What was seen, as hashes: eight bytes for each key, and not a row.
	seen := make(map[uint64]struct{})
	for key, err := range r.b.o.Upstream.Keys(ctx, r.errand(Background), project) {
		if err != nil {
			return err
		}
		seen[maphash.String(r.seed, key.ID)] = struct{}{}
		_, id, ours := r.b.o.Marker.Parse(key.Name)
		if !ours {
			continue
		}
		r.progress.Keys++
		if dead(key.Expires, now()) {
			if len(over.keys) < clearedAtOnce && !r.q.DryRun {
				over.keys = append(over.keys, key)
			}
			continue
		}
		if err := r.key(ctx, id, key); err != nil {
			return err
		}
	}
	if err := r.accounts(ctx, project, over); err != nil {
		return err
	}
	return r.missing(ctx, project, seen, began)
}

func dead(expires, at time.Time) bool { return !expires.IsZero() && !at.Before(expires) }

// clear deletes a key that has expired, if nobody else wants the call.
func (r *reconciler) clear(ctx context.Context, key FoundKey) {
	ctx, cancel := context.WithTimeout(ctx, longestDeletion)
	defer cancel()
	errand := r.errand(Idle)
	errand.Cause = CauseExpired
	if err := r.b.o.Upstream.DeleteKey(ctx, errand, key.ProjectID, key.ID); err != nil && outcomeOf(err) != Gone {
		r.b.o.Logger.DebugContext(ctx, "an expired key is cleared away later", "api_key_id", key.ID, "error", err)
	}
}

// clearAccount deletes an account whose key has expired, likewise.
func (r *reconciler) clearAccount(ctx context.Context, project, id string) {
	ctx, cancel := context.WithTimeout(ctx, longestDeletion)
	defer cancel()
	errand := r.errand(Idle)
	errand.Cause = CauseExpired
	if err := r.b.o.Upstream.DeleteAccount(ctx, errand, project, id); err != nil && outcomeOf(err) != Gone {
		r.b.o.Logger.DebugContext(ctx, "an account whose key has expired is cleared away later", "service_account_id", id, "error", err)
	}
}

// key compares a living key that has the gateway's mark with its record.
func (r *reconciler) key(ctx context.Context, id string, key FoundKey) error {
	found := lease.Record{
		Kind: lease.Key, ProjectID: key.ProjectID, ServiceAccountID: key.ServiceAccountID, APIKeyID: key.ID,
		CredentialName: key.Name, UpstreamExpires: whole(key.Expires),
	}
	row, err := r.b.o.Ledger.Get(ctx, id)
	switch {
	case errors.Is(err, lease.ErrNotFound):
		return r.orphan(ctx, id, found, key.Created)
	case err != nil:
		return err
	case row.Kind == lease.Account:
		return nil // It goes with its account.
	case row.State == lease.Intent, row.State == lease.Doubtful, row.State == lease.Revoking, row.State == lease.Orphan:
		return nil // It is dealt with.
	case row.APIKeyID != key.ID:
		return r.orphan(ctx, id, found, key.Created)
	case row.State.Final():
		if now().Sub(row.Ended) < lag {
			return nil
		}
		return r.orphan(ctx, id, found, key.Created)
	case key.Expires.IsZero() || key.Expires.After(row.UpstreamExpires.Add(lag)):
		return r.later(ctx, row, key.Expires)
	}
	return nil
}

// later writes down that somebody has prolonged a key past the gateway: it is deleted at
// the end of its last lease.
func (r *reconciler) later(ctx context.Context, row lease.Record, end time.Time) error {
	if r.q.DryRun {
		return nil
	}
	if end.IsZero() {
		end = never(now())
	}
	row.UpstreamExpires = whole(end)
	_, err := r.b.update(ctx, lease.Change{Record: row, Kind: EventKept})
	return ignoreChanged(err)
}

// orphan revokes what has the gateway's mark and no record of its own.
func (r *reconciler) orphan(ctx context.Context, id string, found lease.Record, made time.Time) error {
	ends := found.UpstreamExpires
	role, _, _ := r.b.o.Marker.Parse(found.CredentialName)
	found.Role = role
	if !r.q.DryRun {
		kept, err := r.b.orphan(ctx, found)
		if err != nil {
			return err
		}
		if kept.State.Final() {
			return nil // The list is behind.
		}
		found = kept
	}
	r.progress.ToRevoke++
	return r.tell(Finding{Orphan: &found, Lease: id, Made: made, Ends: ends})
}

// accounts compares accounts that were made for one credential each.
func (r *reconciler) accounts(ctx context.Context, project string, over *ended) error {
	if !r.hasAccounts(ctx, project) {
		return nil
	}
	for account, err := range r.b.o.Upstream.Accounts(ctx, r.errand(Background), project) {
		if err != nil {
			return err
		}
		_, id, ours := r.b.o.Marker.Parse(account.Name)
		if !ours {
			continue
		}
		row, err := r.b.o.Ledger.Get(ctx, id)
		if err != nil && !errors.Is(err, lease.ErrNotFound) {
			return err
		}
		switch {
		case err != nil:
		case row.Kind != lease.Account, !row.State.Final(), now().Sub(row.Ended) < lag:
			continue
		case row.State == lease.Expired:
			// Its key has ended, and the account can do nothing.
			if len(over.accounts) < clearedAtOnce && !r.q.DryRun {
				over.accounts = append(over.accounts, account.ID)
			}
			continue
		}
		found := lease.Record{Kind: lease.Account, ProjectID: project, ServiceAccountID: account.ID, CredentialName: account.Name}
		if err := r.orphan(ctx, id, found, account.Created); err != nil {
			return err
		}
	}
	return nil
}

// hasAccounts tells whether credentials of a project may have accounts of their own.
func (r *reconciler) hasAccounts(ctx context.Context, project string) bool {
	for _, role := range r.b.o.Roles().All() {
		if role.Project == project && lease.Kind(role.Kind) == lease.Account {
			return true
		}
	}
	has := false
	_ = r.b.walk(ctx, lease.Query{Rows: lease.CredentialRows, States: liveStates()}, func(row lease.Record) error {
		has = has || row.ProjectID == project && row.Kind == lease.Account
		return nil
	})
	return has
}

// missing reports credentials whose keys the upstream does not have. They are reported
// and not ended: lists may be behind, and a lease ends by itself.
func (r *reconciler) missing(ctx context.Context, project string, seen map[uint64]struct{}, began time.Time) error {
	q := lease.Query{Rows: lease.CredentialRows, States: []lease.State{lease.Issued, lease.Active}}
	return r.b.walk(ctx, q, func(row lease.Record) error {
		if row.ProjectID != project || row.APIKeyID == "" || row.Created.After(began.Add(-lag)) || !now().Before(row.UpstreamExpires) {
			return nil
		}
		if _, there := seen[maphash.String(r.seed, row.APIKeyID)]; there {
			return nil
		}
		current, err := r.b.o.Ledger.Get(ctx, row.ID)
		if err != nil || !open(&current) {
			return ignoreChanged(err)
		}
		return r.tell(Finding{Missing: &row})
	})
}
