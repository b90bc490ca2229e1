package authn

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// fetchInterval is the least time between two fetches, from start to start,
	// whatever the request and the result of the one before.
	fetchInterval = 30 * time.Second
	// fetchTimeout bounds a fetch: discovery and keys together.
	fetchTimeout = 10 * time.Second
	// refreshAge is how old keys may be before they are fetched again in the
	// background.
	refreshAge = time.Hour
	// maxAge is how old they may be before they are no longer used.
	maxAge = 24 * time.Hour
	// maxTries bounds how many keys are tried on a token without a key id.
	maxTries = 8
)

var errClosed = errors.New("the authenticator is closed")

// keySet holds the keys of an issuer. They are fetched for the first token, for
// a token that names a key that is not among them, and now and then in the
// background. Concurrent calls share one fetch. A fetch that fails changes
// nothing.
type keySet struct {
	issuer string // its URL
	fetch  func(context.Context) ([]jose.JSONWebKey, error)
	now    func() time.Time
	logger *slog.Logger

	wg sync.WaitGroup // of the fetches

	mu        sync.Mutex
	keys      []jose.JSONWebKey // never changed, only replaced
	refreshed time.Time         // when the fetch began that brought them
	attempted time.Time         // when the latest fetch began; zero: none has
	failure   error             // of the latest fetch that ended
	flight    chan struct{}     // closed when the fetch under way ends; nil: none is
	abort     func()            // ends the latest fetch
	closed    bool
}

func newKeySet(issuer string, fetch func(context.Context) ([]jose.JSONWebKey, error), now func() time.Time, logger *slog.Logger) *keySet {
	return &keySet{issuer: issuer, fetch: fetch, now: now, logger: logger}
}

// close ends the fetch under way and waits for its end; there will be no other.
func (s *keySet) close() {
	s.mu.Lock()
	s.closed = true
	if s.abort != nil {
		s.abort()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

// verify looks for a key for which made returns true: the one with the id kid,
// or, without a kid, any that fits the algorithm. When no key is known, it waits
// for a fetch, if one is under way or may be made.
func (s *keySet) verify(ctx context.Context, kid, algorithm string, made func(*jose.JSONWebKey) bool) error {
	keys, _ := s.current(ctx)
	named, good := tryKeys(keys, kid, algorithm, made)
	if good {
		return nil
	}
	if named {
		// The token names this key, so no other is tried.
		return refuse(ReasonBadSignature)
	}
	if flight := s.refresh(ctx); flight != nil {
		select {
		case <-flight:
		case <-ctx.Done():
			return &Error{Reason: ReasonNoKeys, Err: ctx.Err()}
		}
	}
	// Also without a flight: one may have ended since.
	keys, failure := s.current(ctx)
	if _, good = tryKeys(keys, kid, algorithm, made); good {
		return nil
	}
	if failure != nil {
		return &Error{Reason: ReasonNoKeys, Err: failure}
	}
	return refuse(ReasonBadSignature)
}

// tryKeys tries the keys that a token may be signed with. named tells whether
// there is a key that the token names.
func tryKeys(keys []jose.JSONWebKey, kid, algorithm string, made func(*jose.JSONWebKey) bool) (named, good bool) {
	tries := 0
	for i := range keys {
		key := &keys[i]
		if kid != "" && key.KeyID != kid || !fits(key, algorithm) {
			continue
		}
		if tries++; tries > maxTries {
			break
		}
		named = kid != ""
		if made(key) {
			return named, true
		}
	}
	return named, false
}

// current returns the keys in use, and the failure of the latest fetch, if
// any. When they are old, it starts a fetch in the background.
func (s *keySet) current(ctx context.Context) ([]jose.JSONWebKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	age := s.now().Sub(s.refreshed)
	if len(s.keys) > 0 && age >= refreshAge {
		s.refreshLocked(ctx)
	}
	if age >= maxAge {
		return nil, s.failure
	}
	return s.keys, s.failure
}

// refresh begins a fetch or joins the one under way, and returns a channel that
// is closed at its end. nil: no fetch is under way, and it is too early for
// another.
func (s *keySet) refresh(ctx context.Context) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refreshLocked(ctx)
}

func (s *keySet) refreshLocked(ctx context.Context) <-chan struct{} {
	if s.flight != nil {
		return s.flight
	}
	if s.closed {
		s.failure = errClosed
		return nil
	}
	now := s.now()
	if !s.attempted.IsZero() && now.Sub(s.attempted) < fetchInterval {
		return nil
	}
	s.attempted = now
	// The call that begins a fetch may end before it, and others wait for it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	flight := make(chan struct{})
	s.flight, s.abort = flight, cancel
	s.wg.Go(func() {
		defer close(flight)
		defer cancel()
		s.fly(ctx, now)
	})
	return flight
}

// fly fetches the keys. After a failure the old keys stay.
func (s *keySet) fly(ctx context.Context, began time.Time) {
	keys, err := s.fetch(ctx)

	s.mu.Lock()
	recovered := s.failure != nil || s.refreshed.IsZero()
	if err == nil {
		s.keys, s.refreshed = keys, began
	}
	s.failure, s.flight = err, nil
	held, since, closed := len(s.keys), s.refreshed, s.closed
	s.mu.Unlock()

	level := slog.LevelDebug
	switch {
	case err != nil && closed:
		return // Closed: no call waits for keys.
	case err != nil:
		s.logger.WarnContext(ctx, "cannot fetch the keys of a token issuer", slog.String("issuer", s.issuer),
			slog.Any("error", err), slog.Int("keys_held", held), slog.Time("keys_fetched", since))
		return
	case recovered:
		level = slog.LevelInfo
	}
	s.logger.Log(ctx, level, "fetched the keys of a token issuer", slog.String("issuer", s.issuer), slog.Int("keys_held", held))
}
