package adminkey

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/marker"
)

// The defaults of [Options].
const (
	DefaultTick       = 3 * time.Second
	DefaultMemberLife = 2 * time.Minute
	DefaultDrain      = 2 * time.Minute
)

const (
	// markRole is the place of the role in the name of an admin key: no role of leases
	// makes admin keys, so nothing else has such a name.
	markRole = "admin-key"
	// longestStep bounds the work on one step. The claim of a step lasts longer, so that
	// nobody else begins it meanwhile.
	longestStep = 30 * time.Second
	claimLife   = 45 * time.Second
	// longestDoubt is how long a key is looked for whose answer was lost: a request that
	// was on its way may still arrive.
	longestDoubt = 10 * time.Minute
	// longestProof is how long a rotation waits for a replica that has the old key to
	// compare the two, and shortestProof how long a new key may be refused: the upstream
	// takes a moment to know it everywhere.
	longestProof  = 15 * time.Minute
	shortestProof = time.Minute
	// lookEvery is between two looks at the old key while somebody still uses it.
	lookEvery = 30 * time.Second
	// longestPause is the longest pause after a step that could not be made.
	longestPause = time.Minute
	// longestSave bounds the write of what a step has done, when the process ends.
	longestSave = 5 * time.Second
	// longestLeave bounds the farewell of a replica.
	longestLeave = 2 * time.Second
	// maxSteps bounds the steps that are made at once: there are fewer phases.
	maxSteps = 16
)

// Options configure [New]. Ledger, Upstream, Own and Marker are required.
type Options struct {
	// Ledger keeps the rotation.
	Ledger Ledger
	// Upstream makes, compares and deletes admin keys.
	Upstream Upstream
	// Own is the admin key of this process.
	Own Own
	// Marker makes the names of new keys.
	Marker *marker.Marker
	// Replica names this process among those over the ledger; drawn by default. One that
	// is alone there has the same name in every life, and goes on at once with what it
	// did in the last one.
	Replica string
	// Tick is how often a replica looks at the rotation; [DefaultTick] by default.
	Tick time.Duration
	// MemberLife is for how long after its last sign of life a replica is waited for;
	// [DefaultMemberLife] by default.
	MemberLife time.Duration
	// Drain is the longest time that a call can take: for as long the old key stays after
	// the last replica has left it. [DefaultDrain] by default.
	Drain time.Duration
	// Logger gets a line for each phase; discarded by default. It gets no key.
	Logger *slog.Logger
}

// Ledger is what is asked of the ledger: a [lease.Ledger] is one.
type Ledger interface {
	Info(ctx context.Context) (lease.Info, error)
	Document(ctx context.Context, name string) (lease.Document, error)
	PutDocument(ctx context.Context, document lease.Document) (lease.Document, error)
}

// Rotator rotates the admin key, with the Rotators of other replicas. Begin and Status may
// be called from any goroutine; Run is called once.
type Rotator struct {
	o    Options
	kick chan struct{}

	// The fields below belong to Run.
	said   part
	beatAt time.Time
	// made is the new key that was made and is not in the ledger yet.
	made struct {
		rotation string
		key      Made
	}
	// verdicts are what the comparison of one rotation has found so far.
	verdicts struct {
		rotation string
		of       map[string]verdict
	}
	trouble string // that was logged last
}

// verdict says which keys may make a read.
type verdict struct{ old, next bool }

// New makes a Rotator.
func New(o Options) (*Rotator, error) {
	if o.Ledger == nil || o.Upstream == nil || o.Own == nil || o.Marker == nil {
		return nil, errors.New("adminkey: Options.Ledger, Upstream, Own and Marker are required")
	}
	if o.Replica == "" {
		o.Replica = rand.Text()
	}
	if o.Tick <= 0 {
		o.Tick = DefaultTick
	}
	if o.MemberLife <= 0 {
		o.MemberLife = DefaultMemberLife
	}
	if o.Drain <= 0 {
		o.Drain = DefaultDrain
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Logger = o.Logger.With("replica", o.Replica)
	return &Rotator{o: o, kick: make(chan struct{}, 1)}, nil
}

// Request asks for a rotation.
type Request struct {
	// RequestID names it: the same one goes on with the rotation that it began.
	RequestID string
	// Caller is who asks.
	Caller string
	// AllowWider accepts a new key that may do more than the old one.
	AllowWider bool
	// KeyID is the id of the key in use, where the upstream's list does not tell; "" in
	// all other cases.
	KeyID string
}

// Begin writes down a rotation, which [Rotator.Run] then makes, in this replica or in
// another one. The error is an [*Error].
func (r *Rotator) Begin(ctx context.Context, q Request) (Rotation, error) {
	latest, err := r.load(ctx)
	if err != nil && !errors.Is(err, lease.ErrNotFound) {
		return Rotation{}, ledgerError(err)
	}
	switch {
	case latest.RequestID == q.RequestID && latest.Caller == q.Caller:
		if latest.AllowWider != q.AllowWider {
			return Rotation{}, &Error{Reason: OtherRequest, Words: "the request was made before, with another allow_wider"}
		}
		r.wake()
		return latest.Rotation, nil
	case !latest.Phase.Final():
		return Rotation{}, &Error{Reason: Running}
	case slices.Contains(latest.Past, past(q.Caller, q.RequestID)):
		return Rotation{}, &Error{Reason: OtherRequest, Words: "the request was answered by a rotation before the latest one"}
	}
	old, err := r.mayBegin(ctx, q)
	if err != nil {
		return Rotation{}, err
	}
	at := now()
	id := lease.NewID(at)
	next := kept{version: latest.version, Rotation: Rotation{
		ID: id, RequestID: q.RequestID, Caller: q.Caller, AllowWider: q.AllowWider, Started: at,
		Name: r.o.Marker.Name(markRole, id), OldKeyID: old.id, OldDigest: digest(id, old.key), Past: latest.Past,
	}}
	if latest.RequestID != "" {
		next.Past = append(next.Past, past(latest.Caller, latest.RequestID))
		next.Past = next.Past[max(0, len(next.Past)-maxPast):]
	}
	next.enter(Planned, at)
	if err := r.put(ctx, &next); err != nil {
		if errors.Is(err, lease.ErrConflict) {
			return Rotation{}, &Error{Reason: Running, Err: err}
		}
		return Rotation{}, ledgerError(err)
	}
	r.o.Logger.InfoContext(ctx, "the rotation of the admin key begins", "rotation", id, "old_key_id", old.id)
	r.wake()
	return next.Rotation, nil
}

func past(caller, requestID string) string { return caller + "\n" + requestID }

// inUse is the key that is to be replaced.
type inUse struct {
	id  string
	key lease.Secret
}

// mayBegin checks that a rotation can be made, and finds the key that is in use.
func (r *Rotator) mayBegin(ctx context.Context, q Request) (inUse, error) {
	info, err := r.o.Ledger.Info(ctx)
	if err != nil {
		return inUse{}, ledgerError(err)
	}
	if !info.KeepsSecrets {
		return inUse{}, &Error{Reason: NoSecrets}
	}
	if err := r.o.Own.Replaceable(); err != nil {
		return inUse{}, &Error{Reason: NotReplaceable, Words: wordsOf(err), Err: err}
	}
	key, err := r.o.Own.Key(ctx)
	if err != nil {
		return inUse{}, &Error{Reason: NotReplaceable, Words: "the key cannot be read", Err: err}
	}
	all, err := r.o.Upstream.List(ctx, q.Caller, key)
	if err != nil {
		return inUse{}, &Error{Reason: NoUpstream, Words: wordsOf(err), Err: err}
	}
	found, ok := current(all, key, q.KeyID)
	if !ok {
		return inUse{}, &Error{Reason: NotFound}
	}
	return inUse{found.ID, key}, nil
}

// Status is the latest rotation, and the replicas that it waits for. With none there is
// an error that is [lease.ErrNotFound].
func (r *Rotator) Status(ctx context.Context) (Rotation, []Member, error) {
	latest, err := r.load(ctx)
	if err != nil {
		return Rotation{}, nil, ledgerError(err)
	}
	if latest.Phase != Switching && latest.Phase != Draining {
		return latest.Rotation, nil, nil
	}
	alive, _, err := r.members(ctx)
	if err != nil {
		return Rotation{}, nil, ledgerError(err)
	}
	return latest.Rotation, waitingFor(alive, latest.ID, r.o.Replica), nil
}

// Run takes part in rotations until ctx ends.
func (r *Rotator) Run(ctx context.Context) error {
	defer r.leave(ctx)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.kick:
		case <-timer.C:
		}
		r.note(ctx, r.turn(ctx))
		timer.Reset(r.o.Tick)
	}
}

// note logs trouble once.
func (r *Rotator) note(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	said := ""
	if err != nil {
		said = err.Error()
	}
	if said != r.trouble && said != "" {
		r.o.Logger.WarnContext(ctx, "the rotation of the admin key waits", "error", said)
	}
	r.trouble = said
}

func (r *Rotator) wake() {
	select {
	case r.kick <- struct{}{}:
	default: // It is awake.
	}
}

func (r *Rotator) load(ctx context.Context) (kept, error) {
	d, err := r.o.Ledger.Document(ctx, documentName)
	if err != nil {
		return kept{}, err
	}
	return decode(d)
}

// put keeps a rotation, if nobody has changed it meanwhile.
func (r *Rotator) put(ctx context.Context, k *kept) error {
	d, err := k.document()
	if err != nil {
		return err
	}
	d, err = r.o.Ledger.PutDocument(ctx, d)
	if err == nil {
		k.version = d.Version
	}
	return err
}

// now is in whole milliseconds, as it is kept.
func now() time.Time { return time.UnixMilli(time.Now().UnixMilli()).UTC() }

// ledgerError is the error of a ledger that failed.
func ledgerError(err error) error {
	if errors.Is(err, lease.ErrNotFound) {
		return err
	}
	return &Error{Reason: Unavailable, Err: err}
}

// wordsOf are the words for operators that an error has.
func wordsOf(err error) string {
	if e, ok := errors.AsType[*FileError](err); ok {
		return e.Words
	}
	if e, ok := errors.AsType[*CallError](err); ok {
		return e.Words
	}
	return ""
}
