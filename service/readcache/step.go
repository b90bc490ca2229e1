package readcache

import (
	"context"
	"errors"
	"time"

	"github.com/admin-gateway/admin-gateway/cache"
	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/observe"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/upstream"
	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

// The values of Cache-Status (RFC 9211), behind the cache's name.
const (
	statusHit    = "hit"
	statusMiss   = "fwd=miss"
	statusShared = "fwd=miss; collapsed"
	statusReload = "fwd=request"
	statusFailed = "fwd=stale"
	statusBypass = "fwd=bypass"
	statusWrite  = "fwd=method"
)

// Step is the step that answers reads from stored answers. Without a Cache it
// calls the next step every time. Writes pass.
func Step(c *Cache, metrics *Metrics, tracer *observe.Tracer) pipeline.Decorator {
	return func(next pipeline.Invoker) pipeline.Invoker {
		return &step{Cache: c, metrics: metrics, tracer: tracer, next: next}
	}
}

type step struct {
	*Cache
	metrics *Metrics
	tracer  *observe.Tracer
	next    pipeline.Invoker
}

// Invoke implements [pipeline.Invoker].
func (s *step) Invoke(ctx context.Context, permit admission.Permit) (*pipeline.Response, error) {
	account := accounting.From(ctx)
	if !permit.Method().Read {
		account.Cache = accounting.Cache{Status: statusWrite}
		return s.next.Invoke(ctx, permit)
	}
	ctx, span := s.tracer.Stage(ctx, observe.StageCache)
	response, err := s.read(ctx, permit, &account.Cache)
	outcome := account.Cache.Outcome
	if e, ok := errors.AsType[*upstream.Error](err); ok {
		account.Upstream.RequestID = e.RequestID
		account.Cache.ForwardStatus = e.Status
	}
	if err != nil {
		outcome = accounting.CacheError
	} else {
		account.Upstream.RequestID = response.UpstreamRequestID()
	}
	span.EndRead(outcome, err)
	s.metrics.read(permit.Method(), outcome)
	s.count(outcome)
	return response, err
}

// read answers from the store, from a flight that is on its way, or from the
// upstream.
func (s *step) read(ctx context.Context, permit admission.Permit, account *accounting.Cache) (*pipeline.Response, error) {
	if permit.Freshness().Stored {
		return s.stored(ctx, permit, account)
	}
	if s.Cache == nil || s.lifeOf(permit.Method()).Fresh <= 0 {
		*account = accounting.Cache{Outcome: accounting.CacheBypass, Status: statusBypass}
		return s.next.Invoke(pace.WithFlow(ctx, permit.Flow()), permit)
	}
	l, err := s.lookup(ctx, permit)
	if err != nil {
		return nil, err
	}
	if found, ok := s.near(l); ok && s.accepts(found, permit.Freshness()) {
		outcome := accounting.CacheHit
		if !found.entry.Fresh(s.options.Now()) {
			outcome = accounting.CacheStale
			s.refresh(pace.WithFlow(ctx, permit.Flow()), l)
		}
		*account = s.describe(found, outcome, statusHit, permit)
		return s.response(ctx, permit, l, found), nil
	}
	if l, err = s.whole(l); err != nil {
		return nil, err
	}
	found, outcome, status, err := s.obtain(pace.WithFlow(ctx, permit.Flow()), l)
	if err != nil {
		*account = accounting.Cache{Outcome: outcome, Status: status}
		return nil, err
	}
	*account = s.describe(found, outcome, status, permit)
	return s.response(ctx, permit, l, found), nil
}

func (s *step) response(ctx context.Context, permit admission.Permit, l lookup, found stored) *pipeline.Response {
	of := found.entry.Forms
	answer := pipeline.Answer{
		Forms:   &forms{ctx: ctx, near: s.options.Near, method: permit.Method(), key: l.digest, of: of},
		Omitted: of.Notes(), Untyped: found.untyped,
	}
	return pipeline.NewResponse(permit, answer, found.requestID)
}

// describe is the account of an answer that may be stored.
func (s *step) describe(found stored, outcome accounting.CacheOutcome, status string, permit admission.Permit) accounting.Cache {
	age := found.entry.Age(s.options.Now())
	account := accounting.Cache{
		Outcome: outcome, Status: status, Stored: true,
		Age: age, TTL: found.entry.Life.Fresh - age,
		Ignored: permit.Freshness().Ignored, Isolated: found.isolated,
	}
	if found.failure != nil {
		account.ForwardStatus = found.failure.Status
	}
	return account
}

// obtain gets an answer that is not in memory, and returns how.
func (s *step) obtain(ctx context.Context, l lookup) (found stored, outcome accounting.CacheOutcome, status string, err error) {
	freshness := l.permit.Freshness()
	if freshness.Reload() {
		found, err = s.fetchAndSave(ctx, l)
		return found, accounting.CacheMiss, statusReload, err
	}
	found, shared, err := s.flyAccounted(ctx, l)
	if shared && hadMoreTime(ctx, err) {
		// The caller that began the flight could not wait as long as this one.
		found, shared, err = s.flyAccounted(ctx, l)
	}
	if err != nil {
		return stored{}, accounting.CacheMiss, statusMiss, err
	}
	return s.settle(ctx, l, found, shared)
}

// settle finds out whether the answer of a flight is fresh enough for this
// caller, which may have joined the flight.
func (s *step) settle(ctx context.Context, l lookup, found stored, shared bool) (stored, accounting.CacheOutcome, string, error) {
	freshness := l.permit.Freshness()
	switch {
	case !shared && found.fetched:
		return found, accounting.CacheMiss, statusMiss, nil
	case found.failure != nil && freshness.Limits(), found.failure == nil && !s.accepts(found, freshness):
		// Fresh enough for the caller that began the flight, and not for this one.
		status := statusMiss
		if freshness.Limits() {
			status = statusReload
		}
		anew, err := s.fetchAndSave(ctx, l)
		return anew, accounting.CacheMiss, status, err
	case found.failure != nil:
		return found, accounting.CacheStale, statusFailed, nil //nolint:nilerr // The stale answer stands in for the failure.
	case !found.fetched && !found.entry.Fresh(s.options.Now()):
		s.refresh(ctx, l)
		return found, accounting.CacheStale, statusHit, nil
	case !found.fetched: // It was in the shared store.
		return found, accounting.CacheHit, statusHit, nil
	default:
		return found, accounting.CacheCoalesced, statusShared, nil
	}
}

// flyAccounted is fly, with the time that the call waits for the flight of another one in
// its account. In a flight of its own it waits for what that waits for.
func (s *step) flyAccounted(ctx context.Context, l lookup) (stored, bool, error) {
	began := time.Now()
	found, shared, err := s.fly(ctx, l)
	if shared {
		accounting.From(ctx).Waits.Shared(time.Since(began))
	}
	return found, shared, err
}

func (s *step) fly(ctx context.Context, l lookup) (stored, bool, error) {
	looked := false // and not in vain, because this caller left
	return s.flights.LookOrDo(ctx, l.key, s.options.Store.Version(l.tags), func(ctx context.Context) (stored, bool) {
		found, ok := s.look(ctx, l)
		looked = ok || ctx.Err() == nil
		return found, ok
	}, func(ctx context.Context) (stored, error) {
		if looked {
			return s.inFlight(ctx, l, s.renew)
		}
		return s.inFlight(ctx, l, s.find)
	})
}

// inFlight makes the span of a flight, in the trace of the call that began
// it.
func (s *step) inFlight(ctx context.Context, l lookup, do func(context.Context, lookup) (stored, error)) (stored, error) {
	ctx, span := s.tracer.Stage(ctx, observe.StageFlight)
	found, err := do(ctx, l)
	span.End(err)
	return found, err
}

// hadMoreTime returns whether a flight failed for lack of time that this caller
// has.
func hadMoreTime(ctx context.Context, err error) bool {
	failure, ok := errors.AsType[*upstream.Error](err)
	if !ok || failure.Reason != upstream.ReasonNoBudget {
		return false
	}
	deadline, limited := ctx.Deadline()
	return !limited || time.Until(deadline) > failure.RetryAfter
}

// look looks again, also in the shared store.
func (s *step) look(ctx context.Context, l lookup) (stored, bool) {
	found, ok := s.load(ctx, s.options.Store, l)
	return found, ok && found.entry.StaleWhileRevalidate(s.options.Now())
}

// find looks, and asks the upstream for an answer that is not stored.
func (s *step) find(ctx context.Context, l lookup) (stored, error) {
	if found, ok := s.look(ctx, l); ok {
		return found, nil
	}
	return s.renew(ctx, l)
}

// renew asks the upstream, unless another replica does. Where it fails, a stale
// answer may be served.
func (s *step) renew(ctx context.Context, l lookup) (stored, error) {
	begins := func() {}
	fetch := func(ctx context.Context) (stored, error) {
		begins()
		return s.fetchAndSave(ctx, l)
	}
	fresh := func(ctx context.Context) (stored, bool) {
		found, ok := s.load(ctx, s.options.Store, l)
		return found, ok && found.entry.Fresh(s.options.Now())
	}
	var found stored
	var err error
	if s.options.Leases == nil {
		found, err = fetch(ctx)
	} else {
		// Until this replica fetches, it waits for the fetch of another one.
		begins = accounting.From(ctx).Waits.Begin("")
		defer begins()
		found, err = cache.Across(ctx, cache.Shared[stored]{
			Leases: s.options.Leases, Key: l.key, Tags: l.tags, Load: fresh, Fetch: fetch,
			// A caller that joins may raise it.
			Class: func() int { return int(pace.FlowFrom(ctx).Class) },
		})
	}
	failure, ok := errors.AsType[*upstream.Error](err)
	if !ok || !cannotAnswer(failure.Kind) {
		return found, err
	}
	// Only now, so that a write that came meanwhile counts. The call that failed
	// may have used up all of the time.
	looking, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastLook)
	defer cancel()
	if found, ok := s.load(looking, s.options.Store, l); ok && found.entry.StaleIfError(s.options.Now()) {
		found.failure = failure
		return found, nil
	}
	if found, ok := s.unheard(l, failure); ok {
		return found, nil
	}
	return stored{}, err
}

// unheard is the answer that stands in for a refusal for want of budget, while this
// replica does not hear the others: they share the budget, and are lost together. The
// declaration has to allow a stale answer, also for one that is fresh but for that.
func (s *step) unheard(l lookup, failure *upstream.Error) (stored, bool) {
	if failure.Reason != upstream.ReasonNoBudget {
		return stored{}, false
	}
	entry, ok := s.options.Near.LoadIsolated(l.key, l.tags)
	if !ok || entry.Life.StaleIfError <= 0 || !entry.StaleIfError(s.options.Now()) {
		return stored{}, false
	}
	return stored{entry: entry, failure: failure, isolated: true}, true
}

// cannotAnswer returns whether RFC 5861 lets a stale answer stand in for a
// failure: the upstream gave no answer to the request.
func cannotAnswer(kind upstream.Kind) bool {
	return kind == upstream.Unavailable || kind == upstream.RateLimited || kind == upstream.DeadlineExceeded
}

// refresh fetches a new answer for the next caller, if not too many are being
// fetched.
func (s *step) refresh(ctx context.Context, l lookup) {
	l, err := s.whole(l)
	if err != nil {
		return // Its digest could not have been made either.
	}
	select {
	case s.refreshing <- struct{}{}:
	default:
		return
	}
	// What is waited for in the background, the call does not wait for.
	behind, _ := accounting.Part(unhurried(ctx))
	if !s.flights.Begin(behind, l.key, s.options.Store.Version(l.tags), func(ctx context.Context) (stored, error) {
		defer func() { <-s.refreshing }()
		if found, ok := s.near(l); ok && found.entry.Fresh(s.options.Now()) {
			return found, nil // Another refresh ended since the caller looked.
		}
		return s.inFlight(ctx, l, s.renew)
	}) {
		<-s.refreshing
	}
}

// unhurried is the context of a background fetch.
func unhurried(ctx context.Context) context.Context {
	flow := pace.FlowFrom(ctx)
	flow.Class = pace.FanOut
	return pace.WithFlow(ctx, flow)
}

// fetchAndSave takes note of the generations before the upstream is asked, so
// that an answer that a write has overtaken is not stored. It does so before the wait
// for the budget: the flight of a later version may have answered meanwhile, and an
// older answer must not be stored behind its back.
func (s *step) fetchAndSave(ctx context.Context, l lookup) (stored, error) {
	at, snapshotErr := s.options.Store.Snapshot(ctx, l.tags)
	one, asking := s.fetches.begin(ctx, l.key, s.options.Now)
	response, err := s.next.Invoke(asking, l.permit)
	asOf, overtaken := one.end(err == nil)
	if err != nil {
		return stored{}, err
	}
	untyped := response.Untyped()
	made, err := formsOf(response)
	if err != nil {
		return stored{}, err
	}
	entry := cache.Entry{Forms: made, StoredAt: asOf, Life: s.lifeNow(l.permit, asOf)}
	if err = snapshotErr; err == nil && untyped == nil && !overtaken {
		err = s.options.Store.Save(ctx, l.key, entry, at)
	}
	switch {
	case errors.Is(err, cache.ErrWriting), errors.Is(err, cache.ErrInvalidated):
		s.options.Store.Overtaken(l.tags)
	case err != nil && !errors.Is(err, cache.ErrUnavailable):
		s.options.Logger.WarnContext(ctx, "an answer cannot be stored", "method", l.permit.Method().Name(), "error", err.Error())
		s.replaceNothing(l)
	case untyped != nil || overtaken:
		s.replaceNothing(l)
	}
	return stored{entry: entry, untyped: untyped, requestID: response.UpstreamRequestID(), fetched: true}, nil
}

// replaceNothing drops what is stored in this process behind an answer that is not
// stored, and may be newer: the next reader must not go back in time.
func (s *step) replaceNothing(l lookup) {
	if _, ok := s.near(l); ok {
		s.options.Store.Overtaken(l.tags)
	}
}
