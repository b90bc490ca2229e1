package idempotency

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"log/slog"
	"time"

	"github.com/admin-gateway/admin-gateway/cache/outcome"

	"connectrpc.com/connect/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/cache"
	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/observe"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/upstream"
)

const (
	// leaseMargin is how long after its deadline a call may take to store its
	// outcome, before it is taken for dead.
	leaseMargin = 10 * time.Second
	// ReplayedHeader marks an answer to a call that made no write itself.
	ReplayedHeader = "Idempotency-Replayed"
)

// How a write with a key was answered, in records and in the log.
const (
	First    = "first"
	Replayed = "replayed"
)

// Options configure [New]. Outcomes, Scope and Org are required.
type Options struct {
	// Outcomes stores outcomes of writes. Answers that hold a secret go to a
	// [outcome.Sealed] and to nothing else.
	Outcomes outcome.Store
	// Scope names the upstream: keys of one scope are one set, for all replicas.
	// It must outlive the admin key, so that a key that was used before that one
	// was exchanged is still known to have been used.
	Scope string
	// Org names the organization of the admin key, as in readcache.Options. It is
	// part of what a key is bound to: with another admin key the same request is
	// another one, because it may be for another organization.
	Org func(ctx context.Context) (string, error)
	// Logger gets a line for an outcome that cannot be stored; nil discards it.
	Logger *slog.Logger
}

// Outcomes stores the outcomes of writes with a key. It is safe for
// concurrent use.
type Outcomes struct {
	options Options
	// secrets says that the store accepts secrets.
	secrets bool
}

// New returns Outcomes over a store; the error is about the options.
func New(o Options) (*Outcomes, error) {
	if o.Outcomes == nil || o.Scope == "" || o.Org == nil {
		return nil, errors.New("idempotency: Options.Outcomes, Scope and Org are required")
	}
	o.Logger = accounting.Logger(o.Logger)
	_, sealed := o.Outcomes.(*outcome.Sealed)
	return &Outcomes{o, sealed}, nil
}

// Metrics count writes with a key.
type Metrics struct{ total *prometheus.CounterVec }

// NewMetrics registers the metrics; with a nil registerer they are not
// exported.
func NewMetrics(registerer prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{total: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gateway_idempotent_writes_total", Help: "Writes with an idempotency key, by the outcome of the key: first, released, unkept, replayed, lost, reused or refused.",
	}, []string{"outcome"})}
	for _, outcome := range []string{"first", "released", "unkept", "replayed", "lost", "reused", "refused"} {
		m.total.WithLabelValues(outcome)
	}
	return m, observe.Register(registerer, m.total)
}

func (m *Metrics) count(outcome string) { m.total.WithLabelValues(outcome).Inc() }

// Step is the step that makes a write with a key ([WithKey]) once. Without Outcomes
// it refuses such a write. A write without a key passes, as do reads.
func Step(o *Outcomes, metrics *Metrics) pipeline.Decorator {
	return func(next pipeline.Invoker) pipeline.Invoker {
		return &step{Outcomes: o, metrics: metrics, next: next}
	}
}

type step struct {
	*Outcomes
	metrics *Metrics
	next    pipeline.Invoker
}

// Invoke implements [pipeline.Invoker].
func (s *step) Invoke(ctx context.Context, permit admission.Permit) (*pipeline.Response, error) {
	key := keyOf(ctx)
	if key == "" || permit.Method().Read {
		return s.next.Invoke(ctx, permit)
	}
	begun, err := s.begin(ctx, permit, key)
	if err != nil {
		return nil, err
	}
	account := accounting.From(ctx)
	switch begun.State {
	case outcome.Claimed:
		account.Idempotency = First
		return s.run(ctx, permit, begun.Claim)
	case outcome.Completed:
		if o, ok := decodeOutcome(begun.Body); ok {
			account.Idempotency = Replayed
			s.metrics.count("replayed")
			account.Upstream.RequestID = o.requestID
			return o.response(permit)
		}
		s.options.Logger.ErrorContext(ctx, "an outcome cannot be read", "method", permit.Method().Name())
	case outcome.Mismatch:
		s.metrics.count("reused")
		return nil, &rpcerror.Error{
			Code: connect.CodeInvalidArgument, Reason: rpcerror.ReasonIdempotencyKeyReused,
			Message: "this " + Header + " was used for another request before: a new request needs a new key",
		}
	case outcome.Lost:
	}
	account.Idempotency = Replayed
	s.metrics.count("lost")
	return nil, outcomeUnknown()
}

// begin claims the write, or finds its outcome.
func (s *step) begin(ctx context.Context, permit admission.Permit, key string) (outcome.Result, error) {
	refused := func(code connect.Code, reason, message string, cause error) error {
		s.metrics.count("refused")
		return &rpcerror.Error{Code: code, Reason: reason, Message: message, Cause: cause}
	}
	m := permit.Method()
	request, err := m.Endpoint.Request(permit.Request())
	if err != nil {
		return outcome.Result{}, err
	}
	switch {
	case s.Outcomes == nil:
		return outcome.Result{}, refused(connect.CodeFailedPrecondition, rpcerror.ReasonIdempotencyNotConfigured,
			"this gateway does not support "+Header+"; the call was not made", nil)
	case m.Secret && !s.secrets:
		return outcome.Result{}, refused(connect.CodeFailedPrecondition, rpcerror.ReasonIdempotencyNeedsEncryption,
			"the answer to this method holds a secret, and this gateway has no encryption key to store it with; the call was not made", nil)
	}
	org, err := s.options.Org(ctx)
	if err != nil {
		s.options.Logger.ErrorContext(ctx, "the admin key cannot be read", "error", err.Error())
		return outcome.Result{}, &upstream.Error{Kind: upstream.CredentialRejected, Reason: upstream.ReasonCredentialUnreadable}
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		return outcome.Result{}, errors.New("idempotency: a write without a deadline")
	}
	begun, err := s.options.Outcomes.Begin(ctx, s.key(permit, key), fingerprintOf(org, m.Procedure, request), time.Until(deadline)+leaseMargin)
	switch {
	case err == nil:
		return begun, nil
	case ctx.Err() != nil:
		return outcome.Result{}, ctx.Err()
	case errors.Is(err, outcome.ErrOwnerFull):
		return outcome.Result{}, refused(connect.CodeUnavailable, rpcerror.ReasonIdempotencyUnavailable,
			"the stored outcomes of this caller's calls with an "+Header+", with the calls under way, take all the room of one caller, so the call was not made", err)
	case errors.Is(err, cache.ErrUnavailable), errors.Is(err, outcome.ErrFull):
		return outcome.Result{}, refused(connect.CodeUnavailable, rpcerror.ReasonIdempotencyUnavailable,
			"the outcome of the call cannot be stored at the moment, so it was not made", err)
	}
	return outcome.Result{}, err
}

// run makes a claimed write, and stores its outcome.
func (s *step) run(ctx context.Context, permit admission.Permit, claim outcome.Claim) (*pipeline.Response, error) {
	account := &accounting.From(ctx).Upstream
	// The outcome where the write panics: unknown.
	known := storedOutcome{err: outcomeUnknown()}
	released := false
	defer func() {
		if !released {
			s.store(ctx, permit, claim, known)
		}
	}()
	response, err := s.next.Invoke(ctx, permit)
	known = storedOutcome{err: err, requestID: account.RequestID}
	if err == nil {
		known.json, known.err = response.JSON()
	}
	if err != nil && undone(account, err) {
		released = true
		s.release(ctx, permit, claim)
	}
	return response, err
}

// undone returns whether a write that failed has changed nothing, by the table
// of errors: then its key may be used again. Other errors than those of the
// upstream come from the gateway itself, before the request is sent.
func undone(account *accounting.Upstream, err error) bool {
	if e, ok := errors.AsType[*upstream.Error](err); ok {
		return e.Kind != upstream.OutcomeUnknown
	}
	_, own := errors.AsType[*rpcerror.Error](err)
	return own && !account.Done
}

// store stores the outcome of a write. If that fails, the caller gets its answer
// all the same, and the key is lost when its lease is over.
func (s *step) store(ctx context.Context, permit admission.Permit, claim outcome.Claim, known storedOutcome) {
	err := claim.Finish(ctx, encodeOutcome(known))
	if errors.Is(err, cache.ErrTooLarge) {
		// That it was done is stored at least.
		err = errors.Join(err, claim.Finish(ctx, encodeOutcome(storedOutcome{err: outcomeUnknown()})))
	}
	if err != nil {
		s.metrics.count("unkept")
		s.options.Logger.ErrorContext(ctx, "the outcome of a write cannot be stored", "method", permit.Method().Name(), "error", err.Error())
		return
	}
	s.metrics.count("first")
}

// release gives the key back.
func (s *step) release(ctx context.Context, permit admission.Permit, claim outcome.Claim) {
	s.metrics.count("released")
	if err := claim.Abandon(ctx); err != nil {
		s.options.Logger.WarnContext(ctx, "the key of a write that was not made cannot be given back", "method", permit.Method().Name(), "error", err.Error())
	}
}

// key is scoped to the caller: the keys of other callers and their room are
// separate.
func (o *Outcomes) key(permit admission.Permit, key string) outcome.Key {
	caller := permit.Caller()
	canonical := binary.AppendUvarint(nil, uint64(len(caller)))
	canonical = append(canonical, caller...)
	return outcome.Key{Key: cache.Key{Org: o.options.Scope, Canonical: string(append(canonical, key...))}, Owner: caller}
}

// fingerprintOf is a digest of all that a write is to do.
func fingerprintOf(org, procedure string, request *upstream.Request) outcome.Fingerprint {
	var b []byte
	for _, part := range []string{org, procedure, request.Verb, request.Path, request.Query} {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	return sha256.Sum256(append(b, request.Body...))
}

// outcomeUnknown is the error of a write with an unknown outcome.
func outcomeUnknown() error {
	return &rpcerror.Error{
		Code: connect.CodeUnknown, Reason: upstream.ReasonOutcomeUnknown,
		Message: "the outcome of the call with this " + Header + " is unknown: the change may have been made; look before you make it with another key",
	}
}
