package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect/v2"
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
	// Store keeps them. What it loads is in the form that callers get
	// ([Catalog.Convert]).
	Store AnswerStore
	// Near is the part of Store that is in this process: what it has needs no
	// flight, and what it lacks is looked for in Store once for all who ask.
	Near cache.Store
	// Leases let one of several replicas fetch what all of them miss; nil for a
	// gateway that is alone.
	Leases cache.Leases
	// Org names whose data it is, for the keys: a digest, and no key of the
	// upstream's.
	Org func(ctx context.Context) (string, error)
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Logger is told what cannot be kept; nil discards it.
	Logger *slog.Logger
}

// Cache remembers answers to reads. Close it after the server.
type Cache struct {
	CacheOptions
	flights *cache.Flight[kept]
}

// NewCache returns a Cache over a store.
func NewCache(o CacheOptions) (*Cache, error) {
	if o.Store == nil || o.Near == nil || o.Org == nil {
		return nil, errors.New("service: CacheOptions.Store, Near and Org are required")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Cache{CacheOptions: o, flights: cache.NewFlight[kept](flightTimeout, nil)}, nil
}

// Close ends the fetches that are under way, and waits for their end.
func (c *Cache) Close() { c.flights.Close() }

// How a read was answered: the records and the header Cache-Status (RFC 9211)
// say so.
const (
	cacheHit       = "hit"
	cacheMiss      = "miss"
	cacheCoalesced = "coalesced"
	cacheBypass    = "bypass"
)

// flightTimeout bounds a fetch that several callers may be waiting for.
const flightTimeout = time.Minute

// cacheStep is the part of the road that remembers. Without a Cache it asks the
// upstream every time.
type cacheStep struct {
	*Cache
	upstream Upstream
}

// kept is an answer that several callers may get.
type kept struct {
	wire      []byte
	json      []byte // as the upstream said it
	storedAt  time.Time
	requestID string // of the upstream; "" for one that was stored
	fetched   bool
}

// read answers from the store, from a flight that is on its way, or from the
// upstream.
func (s *cacheStep) read(ctx context.Context, p permit, request *upstream.Request) (kept, error) {
	m, c := p.call.method, p.call
	if s.Cache == nil || m.CacheLife <= 0 {
		c.cache = cacheBypass
		k, err := s.fetch(ctx, m, request)
		c.upstreamRequestID = k.requestID
		return k, err
	}
	org, err := s.organization(ctx)
	if err != nil {
		return kept{}, err
	}
	key, tags := cacheKey(org, m, request), readTags(org, m, p.request)
	if k, ok := s.load(ctx, s.Near, key, tags); ok {
		c.cache = cacheHit
		s.tell(ctx, m, k, "hit")
		return k, nil
	}
	k, shared, err := s.flights.Do(ctx, key, s.Store.Version(tags), func(ctx context.Context) (kept, error) {
		load := func(ctx context.Context) (kept, bool) { return s.load(ctx, s.Store, key, tags) }
		fetch := func(ctx context.Context) (kept, error) { return s.fetchAndSave(ctx, m, request, key, tags) }
		if k, ok := load(ctx); ok {
			return k, nil
		}
		if s.Leases == nil {
			return fetch(ctx)
		}
		return cache.Across(ctx, s.Leases, key, 0, load, fetch)
	})
	if err != nil {
		return kept{}, err
	}
	c.cache, c.upstreamRequestID = cacheMiss, k.requestID
	status := "fwd=miss"
	switch {
	case shared:
		c.cache, status = cacheCoalesced, "fwd=miss; collapsed"
	case !k.fetched: // It was in the shared store.
		c.cache, status = cacheHit, "hit"
	}
	s.tell(ctx, m, k, status)
	return k, nil
}

// load finds a fresh answer in a store.
func (s *cacheStep) load(ctx context.Context, store cache.Store, key cache.Key, tags cache.Tags) (kept, bool) {
	entry, ok, err := store.Load(ctx, key, tags)
	if err != nil && !errors.Is(err, cache.ErrUnavailable) {
		s.Logger.WarnContext(ctx, "an answer cannot be loaded", "error", err.Error())
	}
	return kept{wire: entry.Local, json: entry.Body, storedAt: entry.StoredAt}, ok && entry.Fresh(s.Now())
}

// fetchAndSave takes note of the generations before the upstream is asked, so
// that an answer that a write has overtaken is not stored.
func (s *cacheStep) fetchAndSave(ctx context.Context, m *Method, request *upstream.Request, key cache.Key, tags cache.Tags) (kept, error) {
	began := s.Now()
	at, snapshotErr := s.Store.Snapshot(ctx, tags)
	reply, err := s.upstream.Do(ctx, m.Endpoint, request)
	if err != nil {
		return kept{}, err
	}
	wire, err := decode(m, reply)
	if err != nil {
		return kept{}, err
	}
	if snapshotErr == nil {
		err := s.Store.Save(ctx, key, cache.Entry{Body: reply.Body, Local: wire, StoredAt: began, Life: cache.Life{Fresh: m.CacheLife}}, at)
		if err != nil && !errors.Is(err, cache.ErrInvalidated) && !errors.Is(err, cache.ErrUnavailable) {
			s.Logger.WarnContext(ctx, "an answer cannot be stored", "method", m.Name(), "error", err.Error())
		}
	}
	return kept{wire: wire, json: reply.Body, storedAt: began, requestID: reply.RequestID, fetched: true}, nil
}

func (s *cacheStep) fetch(ctx context.Context, m *Method, request *upstream.Request) (kept, error) {
	reply, err := s.upstream.Do(ctx, m.Endpoint, request)
	if err != nil {
		return kept{}, err
	}
	wire, err := decode(m, reply)
	return kept{wire: wire, json: reply.Body, requestID: reply.RequestID, fetched: true}, err
}

// write makes stale what the declaration names, from before the upstream is
// asked until after its answer or the lack of one.
func (s *cacheStep) write(ctx context.Context, p permit, request *upstream.Request) (*upstream.Reply, error) {
	m := p.call.method
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

// tell sets Age (RFC 9111) and Cache-Status (RFC 9211).
func (s *cacheStep) tell(ctx context.Context, m *Method, k kept, status string) {
	info, ok := connect.CallInfoForServerContext(ctx)
	if !ok {
		return
	}
	age := max(0, s.Now().Sub(k.storedAt))
	info.ResponseHeader().Set("Age", strconv.Itoa(int(age.Seconds())))
	info.ResponseHeader().Set("Cache-Status", fmt.Sprintf("admin-gateway; %s; ttl=%d", status, int((m.CacheLife-age).Seconds())))
}

// decode turns a reply into what callers get.
func decode(m *Method, reply *upstream.Reply) ([]byte, error) {
	wire, err := m.Endpoint.Decode(reply.Body)
	if bad, ok := errors.AsType[*upstream.Error](err); ok {
		bad.Status, bad.RequestID = reply.Status, reply.RequestID
	}
	return wire, err
}

// cacheKey holds everything that an answer depends on: the request in its
// canonical form, and the method, which says how the answer is read.
func cacheKey(org string, m *Method, request *upstream.Request) cache.Key {
	return cache.Key{Org: org, Canonical: m.Procedure + "\n" + request.Verb + " " + request.Path + "?" + request.Query}
}

// readTags are the read's own, and one for the method, so that there is one for
// what no write makes stale.
func readTags(org string, m *Method, request protoreflect.Message) cache.Tags {
	return cache.NewTags(org, append(m.Tags(request), m.Procedure)...)
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
