package broker

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/service/roles"
)

// seating is what this replica knows of credentials in which leases take seats. The
// ledger knows it better: this only saves looks at it.
type seating struct {
	mu    sync.Mutex
	roles map[string]*seats
}

func newSeating() seating { return seating{roles: make(map[string]*seats)} }

// seats are those of a role. Whoever takes one has turn, so that those of one replica do
// not get into each other's way.
type seats struct {
	turn chan struct{}

	mu sync.Mutex
	// last is the credential that had a seat lately, failed the last one that was not
	// made, and why.
	last, failed string
	failure      error
	// secrets are those of credentials of which the ledger keeps none.
	secrets map[string]lease.Secret
}

// of returns the seats of a role: there are as many as roles.
func (s *seating) of(role string) *seats {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.roles[role] == nil {
		s.roles[role] = &seats{turn: make(chan struct{}, 1), secrets: make(map[string]lease.Secret)}
	}
	return s.roles[role]
}

func (s *seats) take(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *seats) give() { <-s.turn }

// enough is the part of the life that it asked for with which a lease takes a seat
// without the key being prolonged: those who come within the rest share one call.
const enough = 0.8

// createSeated gives a lease a seat in a credential that others share, or that was made
// ahead. The seat is taken with the lease or not at all. The credential may still be on
// its way.
func (b *Broker) createSeated(ctx context.Context, role *roles.Role, q *CreateRequest) (Grant, error) {
	row, repeated, err := b.sit(ctx, role, q)
	if err != nil {
		return Grant{}, err
	}
	if repeated {
		return b.repeat(ctx, q, row)
	}
	credential, err := b.settled(ctx, row.Credential, func(r *lease.Record) bool { return r.State != lease.Intent })
	switch {
	case errors.Is(err, lease.ErrNotFound), err == nil && !open(&credential):
		// It was not made. The lease is nothing without it.
		b.stand(ctx, &row)
		return Grant{}, b.seats.of(role.Name).failureOf(row.Credential)
	case err != nil:
		b.stand(ctx, &row)
		return Grant{}, &Error{Reason: NotMade, RetryAfter: time.Second, Err: err}
	}
	secret, err := b.secretOf(ctx, role, &credential)
	if err != nil {
		b.stand(ctx, &row)
		return Grant{}, ledgerError(err)
	}
	return b.seated(ctx, row.ID, &credential, secret)
}

func open(r *lease.Record) bool { return r.State == lease.Issued || r.State == lease.Active }

// seated writes down that a lease has the key of the credential in which it has a seat.
func (b *Broker) seated(ctx context.Context, id string, credential *lease.Record, secret lease.Secret) (Grant, error) {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	for {
		row, err := b.o.Ledger.Get(ctx, id)
		if err != nil {
			return Grant{}, ledgerError(err)
		}
		if row.State != lease.Intent {
			return Grant{}, &Error{Reason: Over, LeaseID: id}
		}
		change, err := give(row, credential, secret)
		if err != nil {
			return Grant{}, ledgerError(err)
		}
		records, err := b.update(ctx, change)
		if errors.Is(err, lease.ErrConflict) {
			continue
		}
		if err != nil {
			return Grant{}, ledgerError(err)
		}
		return Grant{Lease: records[0], Secret: secret}, nil
	}
}

// sit takes a seat for a new lease, in a credential that lives long enough.
func (b *Broker) sit(ctx context.Context, role *roles.Role, q *CreateRequest) (row lease.Record, repeated bool, err error) {
	seats := b.seats.of(role.Name)
	if err := seats.take(ctx); err != nil {
		return row, false, &Error{Reason: NotMade, RetryAfter: time.Second, Err: err}
	}
	defer seats.give()
	for {
		at := now()
		credential, err := b.roomy(ctx, role, seats, at, q)
		if err != nil {
			return row, false, err
		}
		expires := earlier(whole(at.Add(q.TTL)), credential.Expires)
		row = newLease(role, q, at, credential.ID, expires)
		row.MaxExpires = earlier(row.MaxExpires, credential.MaxExpires)
		credential.Seated++
		created, err := b.o.Ledger.Create(ctx, lease.Draft{
			Record: row, Limits: q.limits(), With: []lease.Change{{Record: credential, Kind: EventSeat}},
		})
		switch {
		case errors.Is(err, lease.ErrConflict), errors.Is(err, lease.ErrClaimed), errors.Is(err, lease.ErrNotFound), errors.Is(err, lease.ErrTransition):
			if err := pause(ctx, earliest); err != nil {
				return row, false, &Error{Reason: InProgress, RetryAfter: time.Second, Err: err}
			}
		case err != nil:
			return row, false, ledgerError(err)
		default:
			return created.Record, created.Repeated, nil
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// roomy finds a credential with a free seat, makes one, or prolongs one.
func (b *Broker) roomy(ctx context.Context, role *roles.Role, seats *seats, at time.Time, q *CreateRequest) (lease.Record, error) {
	room := func(r *lease.Record) bool {
		return (open(r) || r.State == lease.Intent && at.Before(r.SendBefore)) && r.Seated < r.Seats && at.Before(r.Expires)
	}
	found, newest, err := b.lookForRoom(ctx, role, seats, room)
	if err != nil {
		return found, err
	}
	if found.ID == "" {
		return b.beginPooled(ctx, role, seats, at, q, newest)
	}
	seats.had(found.ID)
	if q.TTL <= 0 || found.Expires.Sub(at) >= time.Duration(enough*float64(q.TTL)) || found.State == lease.Intent {
		return found, nil
	}
	until := earlier(whole(at.Add(q.TTL)), found.MaxExpires)
	if until.Sub(found.Expires) < time.Second {
		// It is near its latest end. Another one takes its place.
		return b.beginPooled(ctx, role, seats, at, q, found.ID)
	}
	extended, err := b.extend(ctx, role, found.ID, until, errandOf(role, q))
	if err != nil {
		return found, err
	}
	return extended, nil
}

func errandOf(role *roles.Role, q *CreateRequest) Errand {
	return Errand{Caller: q.Caller, Role: role.Name, Holder: q.Holder, Urgency: Mint}
}

// lookForRoom looks at the credential that had room lately, and then at all. newest is
// the newest of them.
func (b *Broker) lookForRoom(ctx context.Context, role *roles.Role, seats *seats, room func(*lease.Record) bool) (found lease.Record, newest string, err error) {
	if lately := seats.lately(); lately != "" {
		last, err := b.o.Ledger.Get(ctx, lately)
		if err == nil && room(&last) && seats.hasSecret(&last) {
			return last, last.ID, nil
		}
		if err != nil && !errors.Is(err, lease.ErrNotFound) {
			return found, "", ledgerError(err)
		}
	}
	err = b.pool(ctx, role.Name, func(r lease.Record) error {
		newest = max(newest, r.ID)
		if room(&r) && (found.ID == "" || found.Expires.Before(r.Expires)) && seats.hasSecret(&r) {
			found = r
		}
		return nil
	})
	return found, newest, ledgerError(err)
}

// pool walks the live credentials of a role in which leases take seats.
func (b *Broker) pool(ctx context.Context, role string, each func(lease.Record) error) error {
	return b.walk(ctx, lease.Query{
		Role: role, Rows: lease.CredentialRows, States: []lease.State{lease.Intent, lease.Issued, lease.Active},
	}, func(r lease.Record) error {
		if !hasPurpose(&r, forPool) {
			return nil
		}
		return each(r)
	})
}

// secretOf is the secret of a credential in which leases have seats.
func (b *Broker) secretOf(ctx context.Context, role *roles.Role, credential *lease.Record) (lease.Secret, error) {
	secret, err := b.o.Ledger.Secret(ctx, credential.ID)
	if errors.Is(err, lease.ErrNoSecret) {
		if here, ok := b.seats.of(role.Name).secretOf(credential.ID); ok {
			return here, nil
		}
	}
	return secret, err
}

// stand gives up the seat of a lease that has not got its key, and forgets the lease: its
// request can be made again.
func (b *Broker) stand(ctx context.Context, row *lease.Record) {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	ended, err := b.leave(ctx, row.ID, func(r lease.Record) (lease.Record, error) {
		if r.State != lease.Intent {
			return r, errAsItIs
		}
		return lease.Move(r, lease.Aborted, now(), CauseNotSent)
	}, false)
	if err == nil && ended.State == lease.Aborted {
		err = b.o.Ledger.Forget(ctx, ended.ID, ended.Version)
	}
	if err != nil {
		b.o.Logger.DebugContext(ctx, "a lease that was not made is kept", "lease", row.ID, "error", err)
	}
}
