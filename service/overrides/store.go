package overrides

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
)

const (
	// readEvery is how often a document is read from the ledger, and readTimeout bounds one
	// read: the two together are less than the two seconds after which every replica that
	// reaches the ledger knows of a change.
	readEvery   = time.Second
	readTimeout = 900 * time.Millisecond
	// changeTries is how often a change is made anew when others make one at once.
	changeTries = 8
)

// Ledger keeps overrides. A [lease.Ledger] is one.
type Ledger interface {
	// Document is that of [lease.Ledger].
	Document(ctx context.Context, name string) (lease.Document, error)
	// PutDocument is that of [lease.Ledger].
	PutDocument(ctx context.Context, document lease.Document) (lease.Document, error)
}

// Options configure [New]. Ledger and Document are required.
type Options struct {
	// Ledger keeps the overrides. The caller closes it after Run has ended.
	Ledger Ledger
	// Document is the name of their document in the ledger, and of the kind in the log.
	Document string
	// Every is the time between two reads of the ledger; a second by default.
	Every time.Duration
	// Logger gets what operators have to know; discarded by default.
	Logger *slog.Logger
}

// Store has one kind of overrides. It is safe for concurrent use.
type Store[K Kind] struct {
	o Options
	// now is what calls ask: nil while there is no override.
	now atomic.Pointer[set[K]]
	// readAt is when the document was read last, in nanoseconds since 1970; 0 for never.
	readAt atomic.Int64

	// turn is taken by whoever reads the ledger or changes it, and what follows is theirs.
	turn    chan struct{}
	version uint64 // of the document that now is from
	changed func() // is called when now has changed
	looked  func() // is called after each look of Run
	said    string // the last trouble that was logged; "" for none
}

// New makes a Store. It knows of no override before [Store.Read] or [Store.Run].
func New[K Kind](o Options) (*Store[K], error) {
	if o.Ledger == nil || o.Document == "" {
		return nil, errors.New("overrides: Options.Ledger and Document are required")
	}
	if o.Every <= 0 {
		o.Every = readEvery
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Store[K]{o: o, turn: make(chan struct{}, 1), changed: func() {}, looked: func() {}}, nil
}

// OnChange sets what is called whenever the overrides have changed. It comes before
// [Store.Read], [Store.Put] and [Store.Run].
func (s *Store[K]) OnChange(changed func()) { s.changed = changed }

// OnLook sets what [Store.Run] calls each time that it has looked, whether the ledger has
// answered or not: time has passed, and overrides may be over. It comes before Run.
func (s *Store[K]) OnLook(looked func()) { s.looked = looked }

// Of is the override of a caller that is in force at this moment.
func (s *Store[K]) Of(caller string) (found K, ok bool) {
	all := s.now.Load()
	if all == nil {
		return found, false
	}
	found, ok = all.of[caller]
	return found, ok && found.Common().InForce(time.Now())
}

// All are those in force, by caller.
func (s *Store[K]) All() []K { return s.known().inForce(time.Now()) }

// ReadAt is when they were last read from the ledger; zero for never.
func (s *Store[K]) ReadAt() time.Time {
	if at := s.readAt.Load(); at != 0 {
		return time.Unix(0, at)
	}
	return time.Time{}
}

// Run reads the overrides again and again, until ctx ends.
func (s *Store[K]) Run(ctx context.Context) error {
	ticker := time.NewTicker(s.o.Every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			s.Read(ctx)
			s.looked()
		}
	}
}

// Read reads the overrides from the ledger. Where that fails, those that are known stay, and
// the log says so once.
func (s *Store[K]) Read(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	if s.take(ctx) != nil {
		return // Somebody else is at it, or the gateway stops.
	}
	defer s.give()
	_, err := s.read(ctx)
	switch {
	case errors.Is(err, context.Canceled): // The gateway stops.
	case err == nil && s.said != "":
		s.said = ""
		s.o.Logger.InfoContext(ctx, "overrides of callers are read again", "document", s.o.Document, "in_force", len(s.All()))
	case err != nil && s.said == "":
		s.said = err.Error()
		s.o.Logger.WarnContext(ctx, "overrides of callers cannot be read: those that are known stay", "document", s.o.Document, "in_force", len(s.All()), "known", !s.ReadAt().IsZero(), "error", s.said)
	}
}

// Put keeps an override, in the place of the caller's last one. The error is [ErrTooMany],
// or one of the ledger.
func (s *Store[K]) Put(ctx context.Context, o K) error {
	return s.change(ctx, func(all *set[K]) (*set[K], error) { return all.with(o, o.Common().At) })
}

// Remove ends the override of a caller, and returns it. The error is [ErrNone], or one of
// the ledger.
func (s *Store[K]) Remove(ctx context.Context, caller string) (removed K, err error) {
	err = s.change(ctx, func(all *set[K]) (*set[K], error) {
		at := time.Now()
		found, ok := all.of[caller]
		if !ok || !found.Common().InForce(at) {
			return nil, ErrNone
		}
		removed = found
		return all.without(caller, at)
	})
	return removed, err
}

// read reads the document, and takes it over. It returns the version to change. A document
// that is older than the one that was read before has lost a change, as after a failover of
// Redis: what is known here is put back.
func (s *Store[K]) read(ctx context.Context) (uint64, error) {
	d, err := s.o.Ledger.Document(ctx, s.o.Document)
	read := new(set[K])
	switch {
	case errors.Is(err, lease.ErrNotFound):
		d = lease.Document{Name: s.o.Document}
	case err != nil:
		return 0, err
	default:
		if read, err = parse[K](d); err != nil {
			return 0, err
		}
	}
	if d.Version < s.version && !read.same(s.known()) {
		return s.putBack(ctx, d.Version)
	}
	s.adopt(read, d.Version)
	return d.Version, nil
}

// putBack puts what is known here in the place of an older version.
func (s *Store[K]) putBack(ctx context.Context, older uint64) (uint64, error) {
	known, err := setOf(s.known().of)
	if err != nil {
		return 0, err
	}
	put, err := s.put(ctx, known, older)
	if err != nil {
		return 0, fmt.Errorf("overrides: the ledger has lost %s, which cannot be put back: %w", s.o.Document, err)
	}
	s.o.Logger.WarnContext(ctx, "the ledger had lost overrides of callers: they are put back", "document", s.o.Document, "in_force", len(known.of))
	s.adopt(known, put)
	return put, nil
}

// put keeps a set in the place of a version, and returns the next one.
func (s *Store[K]) put(ctx context.Context, next *set[K], version uint64) (uint64, error) {
	d, err := s.o.Ledger.PutDocument(ctx, lease.Document{Name: s.o.Document, Version: version, Data: next.data})
	return d.Version, err
}

// known is the set that calls ask.
func (s *Store[K]) known() *set[K] {
	if kept := s.now.Load(); kept != nil {
		return kept
	}
	return new(set[K])
}

// adopt makes a set the one that calls ask, and tells of it if it is another one.
func (s *Store[K]) adopt(next *set[K], version uint64) {
	s.readAt.Store(time.Now().UnixNano())
	changed := !next.same(s.known())
	s.version = version
	if !changed {
		return
	}
	if len(next.of) == 0 {
		s.now.Store(nil)
	} else {
		s.now.Store(next)
	}
	s.changed()
}

// take waits for the turn.
func (s *Store[K]) take(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// give gives the turn to the next one.
func (s *Store[K]) give() { <-s.turn }

// change changes the overrides in the ledger, and here.
func (s *Store[K]) change(ctx context.Context, next func(*set[K]) (*set[K], error)) error {
	if err := s.take(ctx); err != nil {
		return err
	}
	defer s.give()
	var err error
	for range changeTries {
		var version uint64
		if version, err = s.read(ctx); err != nil {
			return err
		}
		var made *set[K]
		if made, err = next(s.known()); err != nil {
			return err
		}
		var put uint64
		if put, err = s.put(ctx, made, version); err == nil {
			s.adopt(made, put)
			return nil
		}
		if !errors.Is(err, lease.ErrConflict) {
			return err
		}
	}
	return err
}
