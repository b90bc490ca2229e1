package broker

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/service/roles"
)

// CreateRequest asks for a lease.
type CreateRequest struct {
	// Caller is who asks, RequestID names the request among its own.
	Caller, RequestID string
	// Role is the role, Holder whom the lease is for; empty: the caller.
	Role, Holder string
	// TTL is its life; zero is the role's. It is cut to the role's longest.
	TTL time.Duration
	// Labels are the caller's.
	Labels map[string]string
	// MaxLive and MintsPerHour are the caller's limits.
	MaxLive, MintsPerHour int
}

// Grant is a lease, and the secret of its key where it is to be had.
type Grant struct {
	Lease  lease.Record
	Secret lease.Secret
	// Repeated tells that the request was made before.
	Repeated bool
}

// Create gives a lease. The same request gives the same lease. It is durable before the
// key is asked for, and the key before Create returns.
func (b *Broker) Create(ctx context.Context, q CreateRequest) (Grant, error) {
	role, ok := b.o.Roles().Lookup(q.Role)
	if !ok {
		return Grant{}, &Error{Reason: NoRole}
	}
	if role.Static != nil {
		return Grant{}, &Error{Reason: NotStatic}
	}
	if q.TTL <= 0 {
		q.TTL = role.TTL
	}
	q.TTL = min(q.TTL, role.MaxTTL)
	create := b.createOwn
	if role.Share > 1 || role.Spares > 0 {
		create = b.createSeated
	}
	for {
		grant, err := create(ctx, &role, &q)
		if !errors.Is(err, errAgain) {
			return grant, err
		}
	}
}

// errAgain is the error of a create to try again: what stood in its way has gone.
var errAgain = errors.New("broker: again")

// errand is that of the calls for a lease.
func errand(r *lease.Record, cause string, urgency Urgency) Errand {
	return Errand{Caller: r.Caller, Lease: r.ID, Role: r.Role, Holder: r.Holder, Cause: cause, Urgency: urgency}
}

// newLease is the row of a lease that has its seat in a credential.
func newLease(role *roles.Role, q *CreateRequest, at time.Time, credential string, expires time.Time) lease.Record {
	return lease.Record{
		ID: lease.NewID(at), RequestID: q.RequestID, Caller: q.Caller, Holder: q.Holder, Labels: maps.Clone(q.Labels),
		Role: role.Name, Kind: lease.Kind(role.Kind), ProjectID: role.Project, Created: at,
		Credential: credential, State: lease.Intent, SendBefore: whole(at.Add(longestMint)),
		Expires: expires, MaxExpires: whole(at.Add(role.MaxTTL)), UpstreamExpires: whole(expires.Add(role.Grace)),
	}
}

func (q *CreateRequest) limits() lease.Limits {
	return lease.Limits{RoleLive: lease.Unlimited, CallerLive: q.MaxLive, CallerMints: q.MintsPerHour, MintWindow: time.Hour}
}

// createOwn gives a lease a credential of its own. The lease is written down first, so
// that its request names one; then the credential; then the key is asked for.
func (b *Broker) createOwn(ctx context.Context, role *roles.Role, q *CreateRequest) (Grant, error) {
	if err := b.revocable(ctx, role, q.TTL); err != nil {
		return Grant{}, err
	}
	at := now()
	expires := whole(at.Add(q.TTL))
	credential := b.newCredential(role, "", at, expires, 1)
	row := newLease(role, q, at, credential.ID, expires)
	credential.RequestID, credential.Seated = forLease+row.ID, 1
	created, err := b.o.Ledger.Create(ctx, lease.Draft{Record: row, Limits: q.limits()})
	if err != nil {
		return Grant{}, ledgerError(err)
	}
	if created.Repeated {
		return b.repeat(ctx, q, created.Record)
	}
	row = created.Record
	kept, err := b.o.Ledger.Create(ctx, lease.Draft{Record: credential, Limits: roleLimits(role)})
	if err != nil {
		b.unmade(ctx, row, nil, &UpstreamError{Outcome: NotSent, Err: err})
		return Grant{}, ledgerError(err)
	}
	made, secret, err := b.makeKey(ctx, role, kept.Record, errand(&row, "", Mint))
	if err != nil {
		b.unmade(ctx, made, []string{row.ID}, err)
		return Grant{}, b.mintError(&row, err)
	}
	return b.issued(ctx, &row, made, secret)
}

func roleLimits(role *roles.Role) lease.Limits {
	limits := lease.NoLimits()
	limits.RoleLive = role.MaxLive
	return limits
}

// issued writes down that the key of a lease is there, with its secret, and returns it.
func (b *Broker) issued(ctx context.Context, row *lease.Record, made lease.Record, secret lease.Secret) (Grant, error) {
	var holds lease.Record
	_, err := b.keep(ctx, made, func(credential lease.Record) ([]lease.Change, error) {
		current, err := b.o.Ledger.Get(ctx, row.ID)
		if err != nil {
			return nil, err
		}
		holds = current
		both, err := issue(credential, "", lease.Secret{}, time.Time{})
		if err != nil {
			return nil, err
		}
		change, err := give(current, &both.Record, secret)
		if err != nil {
			return nil, err
		}
		holds = change.Record
		return []lease.Change{both, change}, nil
	})
	if err != nil {
		if errors.Is(err, errTooLate) {
			return Grant{}, &Error{Reason: Doubtful, LeaseID: row.ID, Err: err}
		}
		return Grant{}, ledgerError(err)
	}
	return Grant{Lease: holds, Secret: secret}, nil
}

// issue is the change of a credential whose key is there. A secret is kept where leases
// are going to take seats.
func issue(credential lease.Record, cause string, secret lease.Secret, until time.Time) (lease.Change, error) {
	moved, err := lease.Move(credential, lease.Issued, now(), cause)
	if err != nil {
		return lease.Change{}, err
	}
	moved.SecretUntil = until
	return lease.Change{Record: moved, Kind: EventIssued, Secret: secret}, nil
}

// give is the change of a lease that gets the key of a credential. The secret is kept for
// a while, for a repetition.
func give(row lease.Record, credential *lease.Record, secret lease.Secret) (lease.Change, error) {
	moved, err := lease.Move(row, lease.Issued, now(), "")
	if err != nil {
		return lease.Change{}, err
	}
	hold(&moved, credential)
	moved.SecretUntil = whole(now().Add(secretLife))
	return lease.Change{Record: moved, Kind: EventIssued, Secret: secret}, nil
}

// hold says in a lease what key it has.
func hold(row, credential *lease.Record) {
	row.Credential, row.CredentialName = credential.ID, credential.CredentialName
	row.ServiceAccountID, row.APIKeyID = credential.ServiceAccountID, credential.APIKeyID
}

// mintError is the error for the caller of a lease whose key was not made.
func (b *Broker) mintError(row *lease.Record, err error) error {
	if outcomeOf(err) == Unknown {
		return &Error{Reason: Doubtful, LeaseID: row.ID, Err: err}
	}
	return &Error{Reason: NotMade, RetryAfter: retryAfter(err), Err: err}
}

// revocable refuses a lease that could not be revoked before it ends anyway: the
// revocations that wait already take longer.
func (b *Broker) revocable(ctx context.Context, role *roles.Role, ttl time.Duration) error {
	outlook := b.o.Upstream.Revocations()
	if outlook.PerMinute <= 0 {
		return nil
	}
	waiting, err := b.revoking(ctx)
	if err != nil {
		return ledgerError(err)
	}
	perCall := time.Duration(float64(time.Minute) / outlook.PerMinute)
	wait := time.Duration(max(waiting, outlook.Waiting)+1) * perCall
	if life := ttl + role.Grace; wait > max(life, time.Minute) {
		return &Error{Reason: Overloaded, RetryAfter: (wait - life + queueLife + perCall).Round(time.Second)}
	}
	return nil
}

// queueLife is how long a look at the queue of revocations is good for.
const queueLife = time.Second

// revoking is how many credentials wait for their revocation, in all replicas.
func (b *Broker) revoking(ctx context.Context) (int, error) {
	b.counting.Lock()
	defer b.counting.Unlock()
	if time.Since(b.counted) < queueLife {
		return b.queue, nil
	}
	counts, err := b.o.Ledger.Counts(ctx)
	if err != nil {
		return 0, err
	}
	b.queue, b.counted = 0, time.Now()
	for _, c := range counts {
		if c.Credentials && (c.State == lease.Revoking || c.State == lease.Orphan) {
			b.queue += c.N
		}
	}
	return b.queue, nil
}
