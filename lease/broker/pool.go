package broker

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/service/roles"
)

// maxSecretsHere bounds the secrets of a role that this process keeps where the ledger
// keeps none.
const maxSecretsHere = 1000

func hasPurpose(r *lease.Record, purpose string) bool {
	return r.IsCredential() && strings.HasPrefix(r.RequestID, purpose)
}

func (s *seats) had(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = id
}

func (s *seats) lately() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// hasSecret tells whether the secret of a credential is to be had here. One that is on
// its way is: whoever makes it keeps it.
func (s *seats) hasSecret(r *lease.Record) bool {
	if r.State == lease.Intent || !r.SecretUntil.IsZero() {
		return true
	}
	_, here := s.secretOf(r.ID)
	return here
}

func (s *seats) secretOf(id string) (lease.Secret, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	secret, ok := s.secrets[id]
	return secret, ok
}

func (s *seats) keepSecret(id string, secret lease.Secret) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.secrets) >= maxSecretsHere {
		oldest := id
		for other := range s.secrets {
			oldest = min(oldest, other)
		}
		if oldest == id {
			return
		}
		delete(s.secrets, oldest)
	}
	s.secrets[id] = secret
}

func (s *seats) fail(id string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed, s.failure = id, err
}

// failureOf is the error for those who waited for a credential that was not made.
func (s *seats) failureOf(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != id {
		return &Error{Reason: NotMade, RetryAfter: time.Second}
	}
	return &Error{Reason: NotMade, RetryAfter: max(retryAfter(s.failure), time.Second), Err: s.failure}
}

// beginPooled begins a credential in which leases take seats. It names the one after
// which it comes, so that of all replicas that find that one full, one makes the next.
func (b *Broker) beginPooled(ctx context.Context, role *roles.Role, seats *seats, at time.Time, q *CreateRequest, after string) (lease.Record, error) {
	if err := b.revocable(ctx, role, q.TTL); err != nil {
		return lease.Record{}, err
	}
	for {
		row := b.newCredential(role, forPool+cmp.Or(after, "first"), at, whole(at.Add(q.TTL)), role.Share)
		created, err := b.o.Ledger.Create(ctx, lease.Draft{Record: row, Limits: roleLimits(role)})
		if err != nil {
			return row, ledgerError(err)
		}
		row = created.Record
		switch {
		case !created.Repeated:
			b.fill(role, row, errandOf(role, q))
			seats.had(row.ID)
			return row, nil
		case (open(&row) || row.State == lease.Intent && at.Before(row.SendBefore)) && row.Seated < row.Seats && at.Before(row.Expires) && seats.hasSecret(&row):
			seats.had(row.ID)
			return row, nil
		}
		after = row.ID // It is full, or over.
	}
}

// fill makes the key of a credential in which leases take seats. It outlives the call
// that began it: others wait for it too.
func (b *Broker) fill(role *roles.Role, row lease.Record, errand Errand) {
	errand.Lease = row.ID
	b.mint.Go(func() {
		ctx := b.ctx
		seats := b.seats.of(role.Name)
		made, secret, err := b.makeKey(ctx, role, row, errand)
		if err != nil {
			seats.fail(row.ID, err)
			b.unmade(ctx, made, nil, err)
			b.tell()
			return
		}
		kept, err := b.keep(ctx, made, func(credential lease.Record) ([]lease.Change, error) {
			change, err := issue(credential, "", secret, credential.UpstreamExpires)
			return []lease.Change{change}, err
		})
		if err != nil {
			b.o.Logger.ErrorContext(ctx, "a key that was made could not be written down; it is looked for, and deleted", "role", role.Name, "lease", row.ID, "error", err)
			seats.fail(row.ID, err)
		} else if kept.SecretUntil.IsZero() {
			seats.keepSecret(row.ID, secret)
		}
		b.tell()
	})
}

// walk walks all rows that a query selects.
func (b *Broker) walk(ctx context.Context, q lease.Query, each func(lease.Record) error) error {
	q.PageSize = lease.MaxPage
	for {
		page, err := b.o.Ledger.List(ctx, q)
		if err != nil {
			return err
		}
		for i := range page.Records {
			if err := each(page.Records[i]); err != nil {
				return err
			}
		}
		if page.NextPageToken == "" {
			return nil
		}
		q.PageToken = page.NextPageToken
	}
}

// extend prolongs the key of a credential, and returns the credential. All that ask at
// once share a call.
func (b *Broker) extend(ctx context.Context, role *roles.Role, id string, until time.Time, errand Errand) (lease.Record, error) {
	for {
		result := b.extensions.DoChan(id, func() (any, error) {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), longestMint)
			defer cancel()
			return b.prolong(ctx, role, id, until, errand)
		})
		select {
		case r := <-result:
			row, _ := r.Val.(lease.Record)
			if r.Err != nil || !row.Expires.Before(earlier(until, row.MaxExpires)) {
				return row, r.Err
			}
			// It joined a call for less.
		case <-ctx.Done():
			return lease.Record{}, &Error{Reason: InProgress, RetryAfter: time.Second, Err: ctx.Err()}
		}
	}
}

// prolong moves the end of a key upstream. That the key may live longer is durable before
// it is asked for: whatever becomes of the answer, the ledger knows the latest end. The
// seconds are computed from the end when the call goes out, so a repetition prolongs
// nothing. One prolongs at a time, in all replicas: of two that overtook each other the
// one with the earlier end could be the last.
func (b *Broker) prolong(ctx context.Context, role *roles.Role, id string, until time.Time, errand Errand) (lease.Record, error) {
	row, before, err := b.beginExtension(ctx, role, id, until)
	if err != nil || row.NextAttempt.IsZero() {
		return row, err
	}
	until = earlier(until, row.MaxExpires)
	send, cancel := context.WithDeadline(ctx, row.Expires.Add(role.Grace)) // An expired key cannot be prolonged.
	defer cancel()
	end, err := b.o.Upstream.Prolong(send, errand, row.ProjectID, row.APIKeyID, whole(until.Add(role.Grace)))
	after, release := afterwards(ctx)
	defer release()
	if outcome := outcomeOf(err); outcome == NotSent || outcome == Refused {
		end = before // Nothing was done.
	}
	return b.endExtension(after, row, until, end, err)
}

// beginExtension marks a credential as being prolonged, for as long as that may take. It
// returns one without the mark where nothing is to be done.
func (b *Broker) beginExtension(ctx context.Context, role *roles.Role, id string, until time.Time) (row lease.Record, before time.Time, err error) {
	for {
		row, err := b.settled(ctx, id, func(r *lease.Record) bool { return !open(r) || !now().Before(r.NextAttempt) })
		if err != nil {
			return row, before, ledgerError(err)
		}
		row.NextAttempt = time.Time{}
		before = row.UpstreamExpires
		switch {
		case !open(&row), !now().Before(row.Expires):
			return row, before, &Error{Reason: Over, LeaseID: row.ID}
		case !row.Expires.Before(earlier(until, row.MaxExpires)):
			return row, before, nil
		}
		row.NextAttempt = whole(now().Add(claimLife))
		if latest := whole(earlier(until, row.MaxExpires).Add(role.Grace)); latest.After(row.UpstreamExpires) {
			row.UpstreamExpires = latest
		}
		records, err := b.update(ctx, lease.Change{Record: row, Kind: EventKept})
		switch {
		case err == nil:
			return records[0], before, nil
		case !errors.Is(err, lease.ErrConflict):
			return row, before, ledgerError(err)
		}
	}
}

// endExtension writes down what became of it. end is the end that the upstream says, or
// the one that still holds where nothing was done; zero where that is not known.
func (b *Broker) endExtension(ctx context.Context, row lease.Record, until, end time.Time, failure error) (lease.Record, error) {
	for {
		current, err := b.o.Ledger.Get(ctx, row.ID)
		if err != nil {
			return row, ledgerError(err)
		}
		if !open(&current) {
			return current, &Error{Reason: Over, LeaseID: row.ID, Err: failure}
		}
		current.NextAttempt = time.Time{}
		switch outcomeOf(failure) {
		case NotSent, Refused:
			current.UpstreamExpires = end
		case Gone, Unknown:
		default:
			current.Expires = until
			if end.After(current.UpstreamExpires) {
				current.UpstreamExpires = whole(end)
			}
			if current.State == lease.Issued && !current.SecretUntil.IsZero() {
				current.SecretUntil = current.UpstreamExpires
			}
		}
		change := lease.Change{Record: current, Kind: EventKept}
		if outcomeOf(failure) == Gone {
			if change.Record, err = lease.Move(current, lease.Revoking, now(), CauseGone); err != nil {
				return current, ledgerError(err)
			}
			change.Kind = EventEnding
		}
		records, err := b.update(ctx, change)
		switch {
		case errors.Is(err, lease.ErrConflict):
			continue
		case err != nil:
			return current, ledgerError(err)
		case outcomeOf(failure) == Gone:
			return records[0], &Error{Reason: Over, LeaseID: row.ID, Err: failure}
		case failure != nil:
			return records[0], &Error{Reason: NotMade, RetryAfter: retryAfter(failure), Err: failure}
		}
		return records[0], nil
	}
}
