package service

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/cache"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// AnswerStore keeps answers to reads, as long as no write makes them stale.
type AnswerStore interface {
	cache.Store
	// Version changes with every invalidation of the tags.
	Version(tags cache.Tags) uint64
}

// CacheOptions configure a [Cache]. Store, Near and Org are required.
type CacheOptions struct {
	// Store keeps them. What it loads has the form that callers get as its Local
	// ([Catalog.Convert]).
	Store AnswerStore
	// Near is the part of Store that is in this process: what it has needs no
	// flight, and what it lacks is looked for in Store once for all who ask.
	Near cache.Store
	// Shared is the part of Store that replicas share, for those who look into
	// it; nil for a gateway that is alone.
	Shared cache.Store
	// Leases let one of several replicas fetch what all of them miss; nil for a
	// gateway that is alone.
	Leases cache.Leases
	// Org names whose data it is, for the keys: a digest, and no key of the
	// upstream's.
	Org func(ctx context.Context) (string, error)
	// Lives are those that are not as they are declared; nil: none.
	Lives Lives
	// Jitter is the largest part of the time for which an answer is fresh that is
	// taken off by chance: 0 to 1, where 1 is no freshness at all.
	Jitter float64
	// Random draws from [0, 1); nil: math/rand.
	Random func() float64
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Logger is told what cannot be kept; nil discards it.
	Logger *slog.Logger
}

// Cache remembers answers to reads. Close it after the server.
type Cache struct {
	CacheOptions
	flights *cache.Flight[kept]
	// refreshing bounds the fetches that nobody waits for.
	refreshing chan struct{}
	rooms      sync.Pool // of *[]byte, in which keys are written
}

// NewCache returns a Cache over a store.
func NewCache(o CacheOptions) (*Cache, error) {
	if o.Store == nil || o.Near == nil || o.Org == nil {
		return nil, errors.New("service: CacheOptions.Store, Near and Org are required")
	}
	if o.Jitter < 0 || o.Jitter > 1 {
		return nil, errors.New("service: CacheOptions.Jitter is a part, from 0 to 1")
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Logger = callLogger(o.Logger)
	return &Cache{
		CacheOptions: o,
		flights:      cache.NewFlight[kept](cache.FlightOptions{Timeout: flightTimeout, Joined: hurry}),
		refreshing:   make(chan struct{}, maxRefreshing),
	}, nil
}

// Close ends the fetches that are under way, and waits for their end.
func (c *Cache) Close() { c.flights.Close() }

const (
	// flightTimeout bounds a fetch that several callers may be waiting for.
	flightTimeout = time.Minute
	// maxRefreshing bounds the fetches that nobody waits for.
	maxRefreshing = 32
)

// cacheStep is the part of the road that remembers. Without a Cache it asks the
// upstream every time.
type cacheStep struct {
	*Cache
	upstream Upstream
	tracing  *tracing
}

// kept is an answer that several callers may get.
type kept struct {
	entry     cache.Entry
	requestID string // of the upstream; "" for one that was stored
	fetched   bool
	// failure is why a stale answer is served although a new one was asked for.
	failure *upstream.Error
}

func (k kept) answer(m *Method) *answer {
	return &answer{wire: k.entry.Local, json: k.entry.Body, kind: m.Response}
}

// lookup is a read whose answer may be kept.
type lookup struct {
	method  *Method
	request protoreflect.Message
	key     cache.Key
	tags    cache.Tags
}

// read answers from the store, from a flight that is on its way, or from the
// upstream.
func (s *cacheStep) read(ctx context.Context, p permit) (*answer, error) {
	m, c := p.call.method, p.call
	if s.Cache == nil || s.lifeOf(m).Fresh <= 0 {
		return s.bypass(ctx, p)
	}
	l, err := s.lookup(ctx, m, p.request)
	if err != nil {
		return nil, err
	}
	if k, ok := s.load(ctx, s.Near, l); ok && s.accepts(k, p.wish) {
		c.cache = cacheHit
		if !k.entry.Fresh(s.Now()) {
			c.cache = cacheStale
			s.refresh(paced(ctx, c), l)
		}
		tell(ctx, k, statusHit, p.wish, s.Now())
		return k.answer(m), nil
	}
	k, status, err := s.obtain(ctx, l, p)
	if err != nil {
		setStatus(ctx, forwarded(status, err))
		return nil, err
	}
	c.upstreamRequestID = k.requestID
	tell(ctx, k, status, p.wish, s.Now())
	return k.answer(m), nil
}

// bypass asks the upstream for what is not kept.
func (s *cacheStep) bypass(ctx context.Context, p permit) (*answer, error) {
	ctx = paced(ctx, p.call)
	p.call.cache = cacheBypass
	setStatus(ctx, statusBypass)
	reply, wire, err := s.fetch(ctx, p.call.method, p.request)
	if err != nil {
		return nil, err
	}
	p.call.upstreamRequestID = reply.RequestID
	return &answer{wire: wire, json: reply.Body, kind: p.call.method.Response}, nil
}

// obtain gets what the memory does not have, and tells how.
func (s *cacheStep) obtain(ctx context.Context, l lookup, p permit) (k kept, status string, err error) {
	c := p.call
	c.cache = cacheMiss
	ctx = paced(ctx, c)
	if p.wish.reload() {
		k, err = s.fetchAndSave(ctx, l)
		return k, statusReload, err
	}
	k, shared, err := s.fly(ctx, l)
	if shared && hadMoreTime(ctx, err) {
		// Those who began the flight could not wait as long as this one.
		k, shared, err = s.fly(ctx, l)
	}
	switch {
	case err != nil:
		return kept{}, statusMiss, err
	case !s.accepts(k, p.wish) && k.failure == nil || k.failure != nil && p.wish.limited && !p.wish.ignored:
		// Good enough for those who began the flight, and not for this one.
		k, err = s.fetchAndSave(ctx, l)
		return k, statusReload, err
	case k.failure != nil:
		c.cache, status = cacheStale, statusFailed
	case !k.fetched && !k.entry.Fresh(s.Now()):
		c.cache, status = cacheStale, statusHit
		s.refresh(ctx, l)
	case !k.fetched: // It was in the shared store.
		c.cache, status = cacheHit, statusHit
	case shared:
		c.cache, status = cacheCoalesced, statusShared
	default:
		status = statusMiss
	}
	return k, status, nil
}

func (s *cacheStep) fly(ctx context.Context, l lookup) (kept, bool, error) {
	return s.flights.Do(ctx, l.key, s.Store.Version(l.tags), func(ctx context.Context) (kept, error) {
		return s.inFlight(ctx, l, s.find)
	})
}

// inFlight shows what a flight does in the trace of the call that began it.
func (s *cacheStep) inFlight(ctx context.Context, l lookup, do func(context.Context, lookup) (kept, error)) (kept, error) {
	ctx, span := s.tracing.stage(ctx, stageFlight)
	k, err := do(ctx, l)
	span.end(err)
	return k, err
}

// hadMoreTime tells whether a flight failed for want of time that this caller has.
func hadMoreTime(ctx context.Context, err error) bool {
	failure, ok := errors.AsType[*upstream.Error](err)
	if !ok || failure.Reason != upstream.ReasonNoBudget {
		return false
	}
	deadline, limited := ctx.Deadline()
	return !limited || time.Until(deadline) > failure.RetryAfter
}

// accepts tells whether an answer that is kept will do. A fetched one does.
func (s *cacheStep) accepts(k kept, w wish) bool {
	now := s.Now()
	switch {
	case k.fetched:
		return true
	case w.limited && !w.ignored:
		return w.maxAge > 0 && k.entry.Fresh(now) && k.entry.Age(now) <= w.maxAge
	default:
		return k.entry.StaleWhileRevalidate(now)
	}
}

// find is what a flight does: look again, in what replicas share too, and ask
// the upstream for what is nowhere.
func (s *cacheStep) find(ctx context.Context, l lookup) (kept, error) {
	if k, ok := s.load(ctx, s.Store, l); ok && k.entry.StaleWhileRevalidate(s.Now()) {
		return k, nil
	}
	return s.renew(ctx, l)
}

// renew asks the upstream, unless another replica does. Where it fails, a stale
// answer may do.
func (s *cacheStep) renew(ctx context.Context, l lookup) (kept, error) {
	fetch := func(ctx context.Context) (kept, error) { return s.fetchAndSave(ctx, l) }
	fresh := func(ctx context.Context) (kept, bool) {
		k, ok := s.load(ctx, s.Store, l)
		return k, ok && k.entry.Fresh(s.Now())
	}
	var k kept
	var err error
	if s.Leases == nil {
		k, err = fetch(ctx)
	} else {
		k, err = cache.Across(ctx, s.Leases, l.key, 0, fresh, fetch)
	}
	failure, ok := errors.AsType[*upstream.Error](err)
	if !ok || !cannotAnswer(failure.Kind) {
		return k, err
	}
	// Only now, so that a write that came meanwhile counts. The call that failed
	// may have used up all of the time.
	looking, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastLook)
	defer cancel()
	if k, ok := s.load(looking, s.Store, l); ok && k.entry.StaleIfError(s.Now()) {
		k.failure = failure
		return k, nil
	}
	return kept{}, err
}

// lastLook bounds a look into the stores after the time for an answer is over.
const lastLook = time.Second

// cannotAnswer tells the failures for which RFC 5861 lets a stale answer stand
// in: those in which the upstream said nothing about what was asked.
func cannotAnswer(kind upstream.Kind) bool {
	return kind == upstream.Unavailable || kind == upstream.RateLimited || kind == upstream.DeadlineExceeded
}

// refresh fetches a new answer for whoever asks next, if not too many are being
// fetched.
func (s *cacheStep) refresh(ctx context.Context, l lookup) {
	select {
	case s.refreshing <- struct{}{}:
	default:
		return
	}
	if !s.flights.Begin(unhurried(ctx), l.key, s.Store.Version(l.tags), func(ctx context.Context) (kept, error) {
		defer func() { <-s.refreshing }()
		return s.inFlight(ctx, l, s.renew)
	}) {
		<-s.refreshing
	}
}

// load finds what a store has, fresh or not.
func (s *cacheStep) load(ctx context.Context, store cache.Store, l lookup) (kept, bool) {
	entry, ok, err := store.Load(ctx, l.key, l.tags)
	if err != nil && !errors.Is(err, cache.ErrUnavailable) {
		s.Logger.WarnContext(ctx, "an answer cannot be loaded", "error", err.Error())
	}
	return kept{entry: entry}, ok
}

// fetchAndSave takes note of the generations before the upstream is asked, so
// that an answer that a write has overtaken is not stored.
func (s *cacheStep) fetchAndSave(ctx context.Context, l lookup) (kept, error) {
	began := s.Now()
	at, snapshotErr := s.Store.Snapshot(ctx, l.tags)
	reply, wire, err := s.fetch(ctx, l.method, l.request)
	if err != nil {
		return kept{}, err
	}
	entry := cache.Entry{Body: reply.Body, Local: wire, StoredAt: began, Life: s.life(l.method, l.request, began)}
	if snapshotErr == nil {
		err := s.Store.Save(ctx, l.key, entry, at)
		if err != nil && !errors.Is(err, cache.ErrInvalidated) && !errors.Is(err, cache.ErrUnavailable) {
			s.Logger.WarnContext(ctx, "an answer cannot be stored", "method", l.method.Name(), "error", err.Error())
		}
	}
	return kept{entry: entry, requestID: reply.RequestID, fetched: true}, nil
}

func (s *cacheStep) fetch(ctx context.Context, m *Method, request protoreflect.Message) (*upstream.Reply, []byte, error) {
	r, err := m.Endpoint.Request(request)
	if err != nil {
		return nil, nil, err
	}
	reply, err := s.upstream.Do(ctx, m.Endpoint, r)
	if err != nil {
		return nil, nil, err
	}
	wire, err := decode(m, reply)
	return reply, wire, err
}

// write makes stale what the declaration names, from before the upstream is
// asked until after its answer or the lack of one.
func (s *cacheStep) write(ctx context.Context, p permit, request *upstream.Request) (*upstream.Reply, error) {
	m := p.call.method
	ctx = paced(ctx, p.call)
	if s.Cache == nil || len(m.Invalidates) == 0 {
		return s.upstream.Do(ctx, m.Endpoint, request)
	}
	org, err := s.organization(ctx)
	if err != nil {
		return nil, err
	}
	closed, err := s.Store.Open(ctx, cache.NewTags(org, m.Tags(p.request)...))
	s.note(ctx, m, err)
	defer func() { s.note(ctx, m, closed(context.WithoutCancel(ctx))) }()
	return s.upstream.Do(ctx, m.Endpoint, request)
}

// organization fails as the call itself would: without the admin key there is
// none.
func (s *cacheStep) organization(ctx context.Context) (string, error) {
	org, err := s.Org(ctx)
	if err != nil {
		s.Logger.ErrorContext(ctx, "the admin key cannot be read", "error", err.Error())
		return "", &upstream.Error{Kind: upstream.CredentialRejected, Reason: upstream.ReasonCredentialUnreadable}
	}
	return org, nil
}

// note logs that other replicas learn of a write late.
func (s *cacheStep) note(ctx context.Context, m *Method, err error) {
	if err != nil {
		s.Logger.WarnContext(ctx, "an invalidation did not reach the shared cache yet", "method", m.Name(), "error", err.Error())
	}
}

// decode turns a reply into what callers get.
func decode(m *Method, reply *upstream.Reply) ([]byte, error) {
	wire, err := m.Endpoint.Decode(reply.Body)
	if bad, ok := errors.AsType[*upstream.Error](err); ok {
		bad.Status, bad.RequestID = reply.Status, reply.RequestID
	}
	return wire, err
}

// Convert turns the upstream's JSON of a stored answer into the form that
// callers get.
func (c *Catalog) Convert(key cache.Key, body []byte) ([]byte, error) {
	procedure, _, _ := strings.Cut(key.Canonical, "\n")
	m, ok := c.Lookup(procedure)
	if !ok {
		return nil, errors.New("an answer of no method")
	}
	return m.Endpoint.Decode(body)
}
