package readcache

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/admin-gateway/admin-gateway/cache"
	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/upstream"
	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

// Store stores answers to reads, as long as no write makes them stale.
type Store interface {
	cache.Store
	// Version changes with every invalidation of the tags.
	Version(tags cache.Tags) cache.Version
	// Overtaken notes that an answer was fetched that a write has overtaken.
	Overtaken(tags cache.Tags)
}

// Near is the part of a store that is in this process.
type Near interface {
	cache.Store
	// LoadIsolated loads an answer also where this replica has not heard of the others
	// since, so that they may have made it stale.
	LoadIsolated(key cache.Key, tags cache.Tags) (cache.Entry, bool)
	// Find is Load for the digest of a key.
	Find(key cache.Digest, tags cache.Tags) (cache.Entry, bool)
	// Form returns a form of an answer that was loaded or saved under a key, and keeps
	// it with what is stored. Build makes it, once for all callers.
	Form(ctx context.Context, key cache.Digest, of *cache.Forms, form cache.Form, build func() ([]byte, error)) ([]byte, error)
}

// Options configure a [Cache]. Store, Near and Org are required.
type Options struct {
	// Store stores answers. Those that it loads were converted ([Converter]).
	Store Store
	// Near is the part of Store that is in this process: an answer there needs no
	// flight, and for one that is not there Store is asked once for all callers.
	Near Near
	// Shared is the part of Store that replicas share, for CacheService; nil for a
	// gateway that is alone.
	Shared cache.Store
	// Leases let one of several replicas fetch what all of them miss; nil for a
	// gateway that is alone.
	Leases cache.Leases
	// Org names the organization of the data, for the keys: a digest, and no key
	// of the upstream's.
	Org func(ctx context.Context) (string, error)
	// RecentOrg is Org for the look-up of a stored answer, which is made often: it may be
	// a second behind, and not behind what Org has returned since; nil: Org.
	RecentOrg func(ctx context.Context) (string, error)
	// Lives are the overridden lives; nil: none.
	Lives catalog.Lives
	// Jitter is the largest part of the time for which an answer is fresh that is
	// taken off by chance: 0 to 1, where 1 may leave no freshness at all.
	Jitter float64
	// Random draws from [0, 1); nil: math/rand.
	Random func() float64
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Logger gets a line for an answer that cannot be stored; nil discards it.
	Logger *slog.Logger
}

// Cache stores answers to reads. Close it after the server.
type Cache struct {
	options Options
	flights *cache.Flight[stored]
	fetches *fetches
	unknown *cache.UnknownWrites
	// refreshing bounds the background fetches.
	refreshing chan struct{}
	keyBuffers sync.Pool // of *[]byte
	// reads are those whose answers may be stored, and hits those of them that were.
	reads, hits atomic.Int64
}

// Counts are the reads whose answers may be stored since the cache was made, and those of
// them that it has answered, stale answers included.
func (c *Cache) Counts() (reads, stored int64) { return c.reads.Load(), c.hits.Load() }

// count counts a read by its outcome.
func (c *Cache) count(outcome accounting.CacheOutcome) {
	if c == nil || outcome == accounting.CacheBypass {
		return
	}
	c.reads.Add(1)
	if outcome == accounting.CacheHit || outcome == accounting.CacheStale {
		c.hits.Add(1)
	}
}

const (
	// flightTimeout bounds a fetch that several callers may be waiting for.
	flightTimeout = time.Minute
	// maxRefreshing bounds the background fetches.
	maxRefreshing = 32
	// lastLook bounds a look into the stores after the time for an answer is over.
	lastLook = time.Second
)

// New returns a Cache over a store; the error is about the options.
func New(o Options) (*Cache, error) {
	if o.Store == nil || o.Near == nil || o.Org == nil {
		return nil, errors.New("readcache: Options.Store, Near and Org are required")
	}
	if o.Jitter < 0 || o.Jitter > 1 {
		return nil, errors.New("readcache: Options.Jitter is a part, from 0 to 1")
	}
	if o.RecentOrg == nil {
		o.RecentOrg = o.Org
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Logger = accounting.Logger(o.Logger)
	return &Cache{
		options:    o,
		flights:    cache.NewFlight[stored](cache.FlightOptions{Timeout: flightTimeout, Now: o.Now, Joined: join}),
		fetches:    newFetches(),
		unknown:    cache.NewUnknownWrites(),
		refreshing: make(chan struct{}, maxRefreshing),
	}, nil
}

// Close ends the fetches that are under way, and waits for their end. Writes whose
// outcome is unknown stay open where replicas share a store.
func (c *Cache) Close() {
	c.flights.Close()
	c.unknown.Close()
}

// join lets a fetch of an inventory, or one in the background, wait on behalf of a
// call that joins it too.
func join(flight, joiner context.Context) {
	accounting.From(joiner).Waits.Join(&accounting.From(flight).Waits)
	pace.Join(flight, pace.FlowFrom(joiner))
}

// stored is an answer that several callers may get.
type stored struct {
	entry     cache.Entry
	untyped   error  // why it has no wire form; such an answer is not stored
	requestID string // of the upstream; "" for one that was loaded
	fetched   bool
	// failure is why a stale answer is served although a new one was asked for.
	failure *upstream.Error
	// isolated is set for an answer that other replicas may have made stale, unheard.
	isolated bool
}

// lookup is a read whose answer may be stored.
type lookup struct {
	permit admission.Permit
	digest cache.Digest
	tags   cache.Tags
	// key is set for an answer that is not in memory.
	key cache.Key
}

// lifeOf is how long an answer of a method may be used.
func (c *Cache) lifeOf(m *catalog.Method) catalog.Life {
	if life, ok := c.options.Lives[m]; ok {
		return life
	}
	return m.Life
}

// lifeNow is how long an answer to the request, asked for now, may be used. Up to
// jitter of it, drawn each time, is taken off, so that answers that were stored
// together are not asked for again together.
func (c *Cache) lifeNow(permit admission.Permit, now time.Time) cache.Life {
	life := c.lifeOf(permit.Method())
	fresh := permit.Method().LifeAt(life, permit.Request(), now)
	fresh -= time.Duration(float64(fresh) * c.options.Jitter * c.options.Random())
	return cache.Life{Fresh: fresh, Stale: life.WhileRevalidate, StaleIfError: life.IfError}
}

// accepts returns whether an answer that was not fetched for this call is
// fresh enough.
func (c *Cache) accepts(s stored, f admission.Freshness) bool {
	now := c.options.Now()
	switch {
	case f.Limits():
		return f.MaxAge > 0 && s.entry.Fresh(now) && s.entry.Age(now) <= f.MaxAge
	default:
		return s.entry.StaleWhileRevalidate(now)
	}
}

// near finds the answer that is stored in this process, fresh or not.
func (c *Cache) near(l lookup) (stored, bool) {
	entry, ok := c.options.Near.Find(l.digest, l.tags)
	return stored{entry: entry}, ok
}

// load finds the stored answer, fresh or not.
func (c *Cache) load(ctx context.Context, store cache.Store, l lookup) (stored, bool) {
	entry, ok, err := store.Load(ctx, l.key, l.tags)
	if err != nil && !errors.Is(err, cache.ErrUnavailable) {
		c.options.Logger.WarnContext(ctx, "an answer cannot be loaded", "error", err.Error())
	}
	return stored{entry: entry}, ok
}

// organization fails as the call itself would: without the admin key there is
// none.
func (c *Cache) organization(ctx context.Context) (string, error) {
	return c.orgOf(ctx, c.options.Org)
}

func (c *Cache) orgOf(ctx context.Context, source func(context.Context) (string, error)) (string, error) {
	org, err := source(ctx)
	if err != nil {
		c.options.Logger.ErrorContext(ctx, "the admin key cannot be read", "error", err.Error())
		return "", &upstream.Error{Kind: upstream.CredentialRejected, Reason: upstream.ReasonCredentialUnreadable}
	}
	return org, nil
}

// Converter turns the upstream's JSON of a stored answer into wire bytes, for the store;
// its notes are the members that are not in these.
func Converter(methods *catalog.Catalog) cache.Converter {
	return func(key cache.Key, body []byte) ([]byte, []string, error) {
		procedure, _, _ := strings.Cut(key.Canonical, "\n")
		m, ok := methods.Lookup(procedure)
		if !ok || m.Source != catalog.Upstream {
			return nil, nil, errors.New("an answer of no method")
		}
		answer, err := m.Endpoint.Decode(body)
		return answer.Wire, answer.Omitted, err
	}
}
