package holds

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/service/callers"
)

const (
	// readEvery is how often the holds are read from the ledger, and readTimeout bounds one
	// read: the two together are less than the two seconds after which every replica that
	// reaches the ledger knows a hold.
	readEvery   = time.Second
	readTimeout = 900 * time.Millisecond
	// changeTries is how often a change is made anew when others make one at once.
	changeTries = 8
)

// Ledger keeps the holds. A [lease.Ledger] is one.
type Ledger interface {
	// Document is that of [lease.Ledger].
	Document(ctx context.Context, name string) (lease.Document, error)
	// PutDocument is that of [lease.Ledger].
	PutDocument(ctx context.Context, document lease.Document) (lease.Document, error)
}

// Callers holds the policy in force.
type Callers interface {
	// Current is the policy.
	Current() *callers.Set
}

// Options configure [New]. Ledger and Callers are required.
type Options struct {
	// Ledger keeps the holds. The caller closes it after Run has ended.
	Ledger Ledger
	// Callers says who can be held.
	Callers Callers
	// Every is the time between two reads of the ledger; a second by default.
	Every time.Duration
	// Logger gets what operators have to know; discarded by default.
	Logger *slog.Logger
}

// Holds are the callers that are held. A nil Holds holds nobody, and refuses to. It is safe
// for concurrent use.
type Holds struct {
	o Options
	// now is what calls ask: nil while nobody is held.
	now atomic.Pointer[set]
	// readAt is when the ledger was read last, in nanoseconds since 1970; 0 for never.
	readAt atomic.Int64

	// turn is taken by whoever reads the ledger or changes it, and what follows is theirs.
	turn    chan struct{}
	version uint64 // of the document that now is from
	review  func() // looks at the calls under way
	said    string // the last trouble that was logged; "" for none
}

// New makes Holds. They know of no hold before [Holds.Read] or [Holds.Run].
func New(o Options) (*Holds, error) {
	if o.Ledger == nil || o.Callers == nil {
		return nil, errors.New("holds: Options.Ledger and Callers are required")
	}
	if o.Every <= 0 {
		o.Every = readEvery
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Holds{o: o, turn: make(chan struct{}, 1), review: func() {}}, nil
}

// Held tells whether calls of a caller are refused at this moment.
func (h *Holds) Held(caller string) bool {
	if h == nil {
		return false
	}
	all := h.now.Load()
	if all == nil {
		return false
	}
	found, ok := (*all)[caller]
	return ok && found.at(time.Now())
}

// ReadAt is when the holds were last read from the ledger; zero for never.
func (h *Holds) ReadAt() time.Time {
	if at := h.readAt.Load(); at != 0 {
		return time.Unix(0, at)
	}
	return time.Time{}
}

// all are the callers that are held now.
func (h *Holds) all() []Hold {
	if kept := h.now.Load(); kept != nil {
		return kept.sorted(time.Now())
	}
	return nil
}

// Run reads the holds again and again, until ctx ends.
func (h *Holds) Run(ctx context.Context) error {
	if h == nil {
		return nil
	}
	ticker := time.NewTicker(h.o.Every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			h.Read(ctx)
		}
	}
}

// Read reads the holds from the ledger. Where that fails, those that are known stay, and
// the log says so once.
func (h *Holds) Read(ctx context.Context) {
	if h == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	if h.take(ctx) != nil {
		return // Somebody else is at it, or the gateway stops.
	}
	defer h.give()
	_, err := h.read(ctx)
	switch {
	case errors.Is(err, context.Canceled): // The gateway stops.
	case err == nil && h.said != "":
		h.said = ""
		h.o.Logger.InfoContext(ctx, "the holds of callers are read again", "held", len(h.all()))
	case err != nil && h.said == "":
		h.said = err.Error()
		h.o.Logger.WarnContext(ctx, "the holds of callers cannot be read: those that are known stay", "held", len(h.all()), "known", !h.ReadAt().IsZero(), "error", h.said)
	}
}

// read reads the document, and takes it over. It returns the version to change. A document
// that is older than the one that was read before has lost a change, as after a failover of
// Redis: what is known here is put back.
func (h *Holds) read(ctx context.Context) (uint64, error) {
	d, err := h.o.Ledger.Document(ctx, documentName)
	read := make(set)
	switch {
	case errors.Is(err, lease.ErrNotFound):
		d = lease.Document{Name: documentName}
	case err != nil:
		return 0, err
	default:
		if read, err = parse(d); err != nil {
			return 0, err
		}
	}
	if d.Version < h.version && !read.same(h.known()) {
		return h.putBack(ctx, d.Version)
	}
	h.adopt(read, d.Version)
	return d.Version, nil
}

// putBack puts what is known here in the place of an older version.
func (h *Holds) putBack(ctx context.Context, older uint64) (uint64, error) {
	known := h.known()
	put, err := h.put(ctx, known, older)
	if err != nil {
		return 0, fmt.Errorf("holds: the ledger has lost some, which cannot be put back: %w", err)
	}
	h.o.Logger.WarnContext(ctx, "the ledger had lost holds of callers: they are put back", "held", len(known))
	h.adopt(known, put)
	return put, nil
}

// put keeps a set in the place of a version, and returns the next one.
func (h *Holds) put(ctx context.Context, s set, version uint64) (uint64, error) {
	data, err := s.data()
	if err != nil {
		return 0, err
	}
	d, err := h.o.Ledger.PutDocument(ctx, lease.Document{Name: documentName, Version: version, Data: data})
	return d.Version, err
}

// known is the set that calls ask.
func (h *Holds) known() set {
	if kept := h.now.Load(); kept != nil {
		return *kept
	}
	return nil
}

// adopt makes a set the one that calls ask, and looks at the calls under way if it is
// another one.
func (h *Holds) adopt(s set, version uint64) {
	h.readAt.Store(time.Now().UnixNano())
	changed := !s.same(h.known())
	h.version = version
	if !changed {
		return
	}
	if len(s) == 0 {
		h.now.Store(nil)
	} else {
		h.now.Store(&s)
	}
	h.review()
}

// take waits for the turn.
func (h *Holds) take(ctx context.Context) error {
	select {
	case h.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// give gives the turn to the next one.
func (h *Holds) give() { <-h.turn }

// change changes the holds in the ledger, and here.
func (h *Holds) change(ctx context.Context, next func(set) (set, error)) error {
	if err := h.take(ctx); err != nil {
		return err
	}
	defer h.give()
	var err error
	for range changeTries {
		var version uint64
		if version, err = h.read(ctx); err != nil {
			return err
		}
		var s set
		if s, err = next(h.known()); err != nil {
			return err
		}
		var put uint64
		if put, err = h.put(ctx, s, version); err == nil {
			h.adopt(s, put)
			return nil
		}
		if !errors.Is(err, lease.ErrConflict) {
			return err
		}
	}
	return err
}

// The refusals of a change.
var (
	errTooMany = errors.New("holds: as many callers are held as may be")
	errNotHeld = errors.New("holds: the caller is not held")
)
