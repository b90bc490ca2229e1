package broker

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/marker"
	"github.com/admin-gateway/admin-gateway/service/roles"
)

// The times of the protocol.
const (
	// secretLife is how long the secret of a lease is kept for a repetition.
	secretLife = 10 * time.Minute
	// longestMint is how long a key may wait to be asked for.
	longestMint = 2 * time.Minute
	// lateness bounds how long after its deadline a call may still take effect upstream:
	// the time of one attempt, with room for clocks that differ.
	lateness = 2 * time.Minute
	// ledgerTime bounds what is written down after a call has been made, whoever has
	// left.
	ledgerTime = 20 * time.Second
	// claimLife is how long a claim lasts that is not renewed: a call and what is
	// written down after it.
	claimLife = longestMint + ledgerTime
	// earliest and latest are between two looks at what somebody else is changing.
	earliest, latest = 10 * time.Millisecond, time.Second
)

// DefaultKeepEnded is how long a lease that has ended stays in the ledger.
const DefaultKeepEnded = lease.DefaultKept

// Roles are the roles of the policy in force.
type Roles interface {
	Lookup(name string) (roles.Role, bool)
	All() []roles.Role
}

// Options configure [New]. All without a default are required.
type Options struct {
	Ledger   lease.Ledger
	Upstream Upstream
	Marker   *marker.Marker
	// Roles returns the roles in force. It is asked for each request.
	Roles func() Roles
	// Replica names this process among those that share the ledger; drawn by default.
	Replica string
	// KeepEnded is how long a lease that has ended stays; [DefaultKeepEnded] by default.
	KeepEnded time.Duration
	// Observer hears what was done; the default does not.
	Observer Observer
	// Logger gets what operators have to know; discarded by default.
	Logger *slog.Logger
}

// Observer counts. Its methods do not wait.
type Observer interface {
	// Minted counts a key that was asked for: "done", or the name of an [Outcome].
	Minted(role, outcome string)
	// Revoked counts a deletion that was tried, likewise.
	Revoked(role, outcome string)
}

// deafObserver does not hear.
type deafObserver struct{}

// Minted implements [Observer].
func (deafObserver) Minted(string, string) {}

// Revoked implements [Observer].
func (deafObserver) Revoked(string, string) {}

// Broker gives leases, and ends them. It may be used from any goroutine.
type Broker struct {
	o Options
	// seats are those of roles whose credentials are shared or made ahead.
	seats seating
	// accounts and extensions are calls that all who ask at once share.
	accounts, extensions singleflight.Group

	// Minting goroutines, which outlive the calls that began them.
	ctx  context.Context
	stop context.CancelFunc
	mint sync.WaitGroup
	// changed is closed and replaced when this replica has changed a row, for those who
	// wait for one, and for its keeper.
	mu      sync.Mutex
	changed chan struct{}
	// queue is how many revocations waited when that was counted.
	counting sync.Mutex
	queue    int
	counted  time.Time
}

// New makes a Broker. [Broker.Close] ends it.
func New(o Options) (*Broker, error) {
	if o.Ledger == nil || o.Upstream == nil || o.Marker == nil || o.Roles == nil {
		return nil, errors.New("broker: Options.Ledger, Upstream, Marker and Roles are required")
	}
	if o.Replica == "" {
		o.Replica = "gw-" + rand.Text()[:12]
	}
	if o.KeepEnded <= 0 {
		o.KeepEnded = DefaultKeepEnded
	}
	if o.Observer == nil {
		o.Observer = deafObserver{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	b := &Broker{o: o, changed: make(chan struct{}), seats: newSeating()}
	b.ctx, b.stop = context.WithCancel(context.Background())
	return b, nil
}

// Close ends what is being minted for nobody in particular, and waits for it.
func (b *Broker) Close() {
	b.stop()
	b.mint.Wait()
}

// update makes changes, and tells those who wait.
func (b *Broker) update(ctx context.Context, changes ...lease.Change) ([]lease.Record, error) {
	for i := range changes {
		if r := &changes[i].Record; r.State.Final() {
			r.ForgetAt = r.Ended.Add(b.o.KeepEnded)
		}
	}
	records, err := b.o.Ledger.Update(ctx, changes...)
	if err == nil {
		b.tell()
	}
	return records, err
}

func (b *Broker) tell() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.changed)
	b.changed = make(chan struct{})
}

// settled reads a row until done says that it is what was waited for, or until ctx ends.
// Another replica may change it, so it is read again now and then.
func (b *Broker) settled(ctx context.Context, id string, done func(*lease.Record) bool) (lease.Record, error) {
	pause := earliest
	for {
		b.mu.Lock()
		changed := b.changed
		b.mu.Unlock()
		r, err := b.o.Ledger.Get(ctx, id)
		if err != nil {
			return r, err
		}
		if done(&r) {
			return r, nil
		}
		timer := time.NewTimer(pause)
		pause = min(2*pause, latest)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return r, ctx.Err()
		}
		timer.Stop()
	}
}

// afterwards is a context for what has to be written down whoever has left.
func afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), ledgerTime)
}

// whole rounds a time down to what the ledger keeps.
func whole(t time.Time) time.Time { return time.UnixMilli(t.UnixMilli()).UTC() }

func now() time.Time { return whole(time.Now()) }
