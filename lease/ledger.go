package lease

import (
	"cmp"
	"context"
	"time"
)

// Ledger keeps leases so that they survive the process. It may be used from any
// goroutine.
//
// All implementations guarantee, as long as they lose no data (lease/ledgertest):
//
//   - What a method has returned without an error is durable, as far as Redis makes
//     its data durable, or the file system.
//   - A change is made whole or not at all, and at most once, also where the method
//     fails with ErrUnavailable: the rows, what finds them, and the counts always
//     agree.
//   - Only what [State.May] allows is kept, whatever the caller says.
//   - Of all that claim one lease, or the leadership, one has it at a time. Its
//     number only grows, and a change with an older number is refused.
//
// Every method ends by itself, within the timeout of the implementation or with ctx.
// An error wraps one of those of this package, or is that of ctx.
type Ledger interface {
	// Info describes the ledger.
	Info(ctx context.Context) (Info, error)

	// Create keeps a new lease, unless the caller has made the same request of the
	// same role before: then that lease is returned, and nothing else is done. It
	// is a [LimitError] if there are too many.
	Create(ctx context.Context, draft Draft) (Created, error)
	// Update makes changes, all or none, and returns the records as they are then,
	// in the same order. One lease may have one change.
	Update(ctx context.Context, changes ...Change) ([]Record, error)
	// Claim gives owner a lease to work on for a while, and returns it with the
	// number of the claim in Fence. Owner has it longer if it claims it again. It
	// is ErrClaimed while somebody else has it.
	Claim(ctx context.Context, id, owner string, life time.Duration) (Record, error)
	// Release gives a claim back. It is no error if the claim is over.
	Release(ctx context.Context, id string, fence uint64) error
	// Forget removes a lease that has ended, as it was in this version. It is no
	// error if there is no such lease.
	Forget(ctx context.Context, id string, version uint64) error

	// Get returns a lease.
	Get(ctx context.Context, id string) (Record, error)
	// Secret returns what is kept of the secret of a lease: ErrNoSecret where there
	// is none.
	Secret(ctx context.Context, id string) (Secret, error)
	// List returns a page of leases in the order of their ids.
	List(ctx context.Context, query Query) (Page, error)
	// Due returns leases for which the time has come, the earliest first.
	Due(ctx context.Context, query DueQuery) (DuePage, error)
	// Counts returns how many leases there are by role and state, without the
	// states that a role has none in. It does not look at the leases.
	Counts(ctx context.Context) ([]Count, error)

	// Account returns the account of this name in a project: ErrNotFound if the
	// ledger knows of none.
	Account(ctx context.Context, projectID, name string) (ServiceAccount, error)
	// KeepAccount keeps an account, so that its id is durable before any key of it is
	// made. Of those that are kept for one name the first stays, and is returned.
	KeepAccount(ctx context.Context, account ServiceAccount) (ServiceAccount, error)
	// ForgetAccount forgets an account that is not there any more. It is no error if
	// the ledger has another one of this name, or none.
	ForgetAccount(ctx context.Context, account ServiceAccount) error
	// AccountByID returns the account with an id: ErrNotFound if the ledger knows of none.
	AccountByID(ctx context.Context, id string) (ServiceAccount, error)

	// Document returns the document of a name: ErrNotFound if there is none, and
	// ErrSecretLost if it has a secret that no key opens.
	Document(ctx context.Context, name string) (Document, error)
	// PutDocument keeps a document if the version that is kept is that of document, and
	// returns it with the next one. It is ErrConflict where that was changed meanwhile,
	// and ErrNoSecret where the ledger keeps no secrets and document has one.
	PutDocument(ctx context.Context, document Document) (Document, error)

	// Events returns what has changed after a sequence. It is a [LateError] if some
	// of that is gone, or if there never was such a sequence.
	Events(ctx context.Context, query EventQuery) (EventPage, error)

	// Lead makes replica the leader for a while, or keeps it so. It is ErrClaimed
	// while another one leads.
	Lead(ctx context.Context, replica string, life time.Duration) (Term, error)
	// Resign ends a term. It is no error if the term is over.
	Resign(ctx context.Context, term Term) error

	// Import keeps records as they are, all or none, in a ledger that has none of
	// them: those of another ledger. It takes MaxBatch of them at the most.
	Import(ctx context.Context, records []Record) error
	// Check looks at everything, and returns what does not agree.
	Check(ctx context.Context) (Report, error)
	// Close ends the use of the ledger.
	Close() error
}

// The bounds of what is asked at once.
const (
	// MaxBatch is the largest number of changes at once.
	MaxBatch = 100
	// MaxPage is the largest number of leases or events of a page.
	MaxPage = 1000
	// MaxClaim is the longest life of a claim or a term, before it is renewed.
	MaxClaim = time.Hour
)

// Info describes a ledger.
type Info struct {
	// Kind is "redis" or "file".
	Kind string `json:"kind"`
	// Schema is the version of its form, Epoch tells it from all others.
	Schema int    `json:"schema"`
	Epoch  string `json:"epoch"`
	// Sequence is that of the latest event.
	Sequence uint64 `json:"sequence"`
	// KeepsSecrets tells whether it keeps secrets.
	KeepsSecrets bool `json:"keeps_secrets"`
}

// Unlimited is a limit that allows any number.
const Unlimited = 1<<31 - 1

// Limits are what a create must not exceed. Each is a number or Unlimited: a zero
// allows nothing.
type Limits struct {
	// RoleLive bounds the live credentials of the role.
	RoleLive int
	// CallerLive bounds the live leases of the caller.
	CallerLive int
	// CallerMints bounds the leases that the caller has made in the last MintWindow,
	// which is not longer than the leases stay after their ends.
	CallerMints int
	MintWindow  time.Duration
}

// Refusal is the error of a create that a limit refuses. oldest is the id of the lease
// that has to leave the window before another one fits in, for CallerMints.
func (l *Limits) Refusal(limit Limit, oldest string) error {
	e := &LimitError{Limit: limit}
	switch limit {
	case RoleLive:
		e.Max = l.RoleLive
	case CallerLive:
		e.Max = l.CallerLive
	case CallerMints:
		e.Max = l.CallerMints
		if made, ok := IDTime(oldest); ok {
			e.RetryAt = made.Add(l.MintWindow)
		}
	}
	return e
}

// NoLimits allows everything.
func NoLimits() Limits {
	return Limits{RoleLive: Unlimited, CallerLive: Unlimited, CallerMints: Unlimited}
}

// Draft is a lease to create.
type Draft struct {
	// Record is the lease, in state Intent or Orphan. Its version is set.
	Record Record
	// Limits are what it must not exceed.
	Limits Limits
	// Owner, if not empty, claims the lease for ClaimLife.
	Owner     string
	ClaimLife time.Duration
	// With are changes that are made with it, or not at all: a seat that is taken.
	With []Change
}

// Created is the result of a create.
type Created struct {
	// Record is the lease: the new one, with the claim in Fence, or the one that
	// was there.
	Record Record
	// Repeated tells that the request was made before. With has not been done.
	Repeated bool
	// With are the other records, as they are now.
	With []Record
}

// Change is a change of a lease.
type Change struct {
	// Record is what the lease becomes. Its Version is the one that it was made
	// from, and its Fence the claim under which it is made: zero for none, and then
	// nobody may have a claim.
	Record Record
	// Kind says what kind of change it is, for those who watch.
	Kind EventKind
	// Secret is the new secret, which is kept until Record.SecretUntil. Without one,
	// a secret that is there stays while SecretUntil is set. Where the ledger keeps
	// no secrets it is dropped, and SecretUntil set to zero.
	Secret Secret
	// Term, if not zero, is the term of the leader that makes the change. It is
	// refused after another one began.
	Term uint64
	// Release gives the claim back with the change.
	Release bool
}

// After is the record as it is after the change, with the claim unless it was given
// back.
func (c *Change) After() Record {
	r := c.Record
	if c.Release {
		r.Fence = 0
	}
	return r
}

// Rows are the kinds of rows that a [Query] selects. The zero value is all of them.
type Rows uint8

// The kinds of rows.
const (
	// AnyRows are both of the following.
	AnyRows Rows = iota
	// LeaseRows are leases: they have callers.
	LeaseRows
	// CredentialRows are credentials: the gateway has them for itself.
	CredentialRows
)

// Have tells whether the credentials are among the rows, or the leases.
func (r Rows) Have(credentials bool) bool {
	return r == AnyRows || credentials == (r == CredentialRows)
}

// Query selects leases. An empty field selects all.
type Query struct {
	Role, Caller, Holder string
	States               []State
	Rows                 Rows
	// APIKeyID and ServiceAccountID select the live credentials with these ids.
	APIKeyID, ServiceAccountID string
	// PageSize is the largest number of leases of the page: 1 to MaxPage.
	PageSize int
	// PageToken is that of the page before; empty for the first one.
	PageToken string
}

// Page is a page of leases.
type Page struct {
	Records []Record
	// NextPageToken is that of the next page; empty at the end. A page may have
	// fewer leases than it could, or none, and not be the last.
	NextPageToken string
}

// Count is how many leases a role has in a state, or how many credentials.
type Count struct {
	Role        string
	State       State
	Credentials bool
	N           int
}

// Compare orders counts by role and state, leases before credentials.
func (c Count) Compare(d Count) int {
	kind := func(c Count) int {
		if c.Credentials {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(c.Role, d.Role), cmp.Compare(c.State, d.State), cmp.Compare(kind(c), kind(d)))
}

// ServiceAccount is the account on which the keys of a role are made.
type ServiceAccount struct {
	// ProjectID is its project, Name its name there, ID its id.
	ProjectID string `json:"project_id"`
	Name      string `json:"name"`
	ID        string `json:"id"`
}

// Term is the leadership of a replica.
type Term struct {
	// Replica leads, as number Fence.
	Replica string
	Fence   uint64
	// Until is when it ends if it is not renewed, by the clock of this process, and
	// rather too early than too late.
	Until time.Time
}

// Report is what a check has found.
type Report struct {
	// Records is the number of leases.
	Records int
	// Problems are what does not agree, MaxProblems of them at the most, and Found
	// is how many there are. They name ids and no secrets.
	Problems []string
	Found    int
}

// MaxProblems is how many problems a report names.
const MaxProblems = 100

// Add adds a problem.
func (r *Report) Add(problem string) {
	r.Found++
	if len(r.Problems) < MaxProblems {
		r.Problems = append(r.Problems, problem)
	}
}
