package ledgertest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
)

// Subject is a ledger under test, without leases.
type Subject struct {
	// Replica returns a ledger over the same data, as another replica has one.
	Replica func(tb testing.TB) lease.Ledger
	// Lapse ends all claims and the term, as time would.
	Lapse func(tb testing.TB)
	// Events is how many events the ledger keeps.
	Events int
}

// The times and names of leases here.
const (
	Role   = "search-batch"
	Caller = "team-search"
)

// Begin is when leases are made here.
func Begin() time.Time { return time.UnixMilli(1_800_000_000_000).UTC() }

// NewRecord returns the record of an intent.
func NewRecord(request string) lease.Record {
	at := Begin()
	id := lease.NewID(at)
	return lease.Record{
		ID: id, RequestID: request, Caller: Caller, Role: Role, Kind: lease.Key, ProjectID: "proj_search",
		Created: at, Credential: id, CredentialName: "agw." + Role + "." + id, State: lease.Intent,
		Expires: at.Add(time.Hour), MaxExpires: at.Add(24 * time.Hour), UpstreamExpires: at.Add(time.Hour + 2*time.Minute),
		SendBefore: at.Add(30 * time.Second), Labels: map[string]string{"job": "nightly"},
	}
}

// NewDraft returns a draft without limits or a claim.
func NewDraft(request string) lease.Draft {
	return lease.Draft{Record: NewRecord(request), Limits: lease.NoLimits()}
}

// Step returns the change of a record to another state, as time would allow it.
func Step(tb testing.TB, r lease.Record, next lease.State) lease.Change {
	tb.Helper()
	at := Begin().Add(time.Minute)
	if next == lease.Expired || next == lease.Aborted {
		at = r.UpstreamExpires
	}
	moved, err := lease.Move(r, next, at, "test")
	if err != nil {
		tb.Fatal(err)
	}
	c := lease.Change{Record: moved, Kind: lease.EventKind(next.String())}
	if next == lease.Issued {
		c.Record.APIKeyID, c.Record.ServiceAccountID = "key_"+r.ID, "svc_search"
		c.Record.SecretUntil = at.Add(10 * time.Minute)
		c.Secret = SecretOf(r.ID)
	}
	if next == lease.Active {
		c.Record.Acknowledged, c.Record.SecretUntil = at, time.Time{}
	}
	return c
}

// SecretOf is the secret that Step gives a lease.
func SecretOf(id string) lease.Secret { return lease.NewSecret([]byte("sk-of-" + id)) }

// Kind is the name of the error that err is; empty for none.
func Kind(err error) string {
	if err == nil {
		return ""
	}
	if limit, ok := errors.AsType[*lease.LimitError](err); ok {
		return fmt.Sprintf("limit %s %d %v", limit.Limit, limit.Max, limit.RetryAt)
	}
	if late, ok := errors.AsType[*lease.LateError](err); ok {
		return fmt.Sprintf("late %d %d", late.First, late.Last)
	}
	for _, target := range []error{
		lease.ErrUnavailable, lease.ErrNotFound, lease.ErrConflict, lease.ErrClaimed, lease.ErrFenced,
		lease.ErrTransition, lease.ErrImmutable, lease.ErrNoSecret, lease.ErrSecretLost, lease.ErrLost,
		lease.ErrSchema, lease.ErrLocked, lease.ErrInvalid,
	} {
		if errors.Is(err, target) {
			return target.Error()
		}
	}
	return err.Error()
}
