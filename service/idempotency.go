package service

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"log/slog"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/cache"
	"github.com/admin-gateway/admin-gateway/cache/outcome"
	"github.com/admin-gateway/admin-gateway/upstream"
)

const (
	// leaseMargin is how long after its deadline a call may take to say what came
	// of it, before it is taken for dead.
	leaseMargin = 10 * time.Second
	// replayedHeader marks an answer to a call that did nothing itself.
	replayedHeader = "Idempotency-Replayed"
)

// How a write with a key was answered: the records and the log say so, and the
// first two are what a caller can tell by the header.
const (
	idempotencyFirst    = "first"
	idempotencyReplayed = "replayed"
)

// IdempotencyOptions configure an [Idempotency]. Outcomes, Scope and Org are
// required.
type IdempotencyOptions struct {
	// Outcomes keeps what came of writes. Answers that hold a secret go to a
	// [outcome.Sealed] and to nothing else.
	Outcomes outcome.Store
	// Scope names the upstream: keys of one scope are one set, for all replicas.
	// It must outlive the admin key, so that a key that was used before that one
	// was exchanged is still known to have been used.
	Scope string
	// Org names whose data the admin key opens, as [CacheOptions] has it. It is
	// part of what a key is bound to: with another admin key the same request is
	// another one, because nobody can know whether it is for the same
	// organization.
	Org func(ctx context.Context) (string, error)
	// Logger is told what cannot be kept; nil discards it.
	Logger *slog.Logger
}

// Idempotency remembers what came of writes that came with an idempotency key
// (draft-ietf-httpapi-idempotency-key-header), so that none is made twice.
type Idempotency struct {
	IdempotencyOptions
	// secrets tells that Outcomes may be given some.
	secrets bool
}

// NewIdempotency returns an Idempotency over a store of outcomes.
func NewIdempotency(o IdempotencyOptions) (*Idempotency, error) {
	if o.Outcomes == nil || o.Scope == "" || o.Org == nil {
		return nil, errors.New("service: IdempotencyOptions.Outcomes, Scope and Org are required")
	}
	o.Logger = callLogger(o.Logger)
	_, sealed := o.Outcomes.(*outcome.Sealed)
	return &Idempotency{o, sealed}, nil
}

// once makes a write. Where its caller gave it a key, it is made if that key is
// new; otherwise the answer is what came of the write that the key was for.
func (r *road) once(ctx context.Context, p permit) (*answer, error) {
	request, err := p.call.method.Endpoint.Request(p.request)
	if err != nil {
		return nil, err
	}
	key, err := idempotencyKey(ctx)
	if err != nil {
		return nil, err
	}
	if key == "" {
		return r.write(ctx, p, request)
	}
	begun, err := r.begin(ctx, p.call, key, request)
	if err != nil {
		return nil, err
	}
	switch begun.State {
	case outcome.Claimed:
		p.call.idempotency = idempotencyFirst
		return r.run(ctx, p, request, begun.Claim)
	case outcome.Completed:
		if o, ok := decodeOutcome(begun.Body); ok {
			r.replayed(ctx, p.call, idempotencyReplayed)
			p.call.upstreamRequestID = o.requestID
			return o.answer(p.call.method)
		}
		r.idempotency.Logger.ErrorContext(ctx, "an outcome cannot be read", "method", p.call.method.Name())
	case outcome.Mismatch:
		r.metrics.keyed("reused")
		return nil, fault{
			code: connect.CodeInvalidArgument, reason: ReasonIdempotencyKeyReused,
			message: "this " + idempotencyHeader + " came with another request before: a new request needs a new key",
		}.err()
	case outcome.Lost:
	}
	r.replayed(ctx, p.call, "lost")
	return nil, outcomeUnknown()
}

// begin asks for the right to make the write, or for what came of it.
func (r *road) begin(ctx context.Context, c *call, key string, request *upstream.Request) (outcome.Result, error) {
	i := r.idempotency
	refused := func(code connect.Code, reason, message string, cause error) error {
		r.metrics.keyed("refused")
		return fault{code: code, reason: reason, message: message, cause: cause}.err()
	}
	switch {
	case i == nil:
		return outcome.Result{}, refused(connect.CodeFailedPrecondition, ReasonIdempotencyNotConfigured,
			"this gateway keeps no "+idempotencyHeader+"; the call was not made", nil)
	case c.method.Secret && !i.secrets:
		return outcome.Result{}, refused(connect.CodeFailedPrecondition, ReasonIdempotencyNeedsEncryption,
			"the answer to this method holds a secret, and this gateway has no encryption key to keep it with; the call was not made", nil)
	}
	org, err := i.Org(ctx)
	if err != nil {
		i.Logger.ErrorContext(ctx, "the admin key cannot be read", "error", err.Error())
		return outcome.Result{}, &upstream.Error{Kind: upstream.CredentialRejected, Reason: upstream.ReasonCredentialUnreadable}
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		return outcome.Result{}, errors.New("a write without a deadline")
	}
	begun, err := i.Outcomes.Begin(ctx, i.key(c, key), fingerprintOf(org, c.procedure, request), time.Until(deadline)+leaseMargin)
	switch {
	case err == nil:
		return begun, nil
	case ctx.Err() != nil:
		return outcome.Result{}, ctx.Err()
	case errors.Is(err, outcome.ErrOwnerFull):
		return outcome.Result{}, refused(connect.CodeUnavailable, ReasonIdempotencyUnavailable,
			"what came of this caller's calls with an "+idempotencyHeader+", with those that are under way, takes all the room that one caller may have, so the call was not made", err)
	case errors.Is(err, cache.ErrUnavailable), errors.Is(err, outcome.ErrFull):
		return outcome.Result{}, refused(connect.CodeUnavailable, ReasonIdempotencyUnavailable,
			"what comes of the call cannot be kept at the moment, so it was not made", err)
	}
	return outcome.Result{}, err
}

// run makes a write that is this call's to make, and keeps what came of it.
func (r *road) run(ctx context.Context, p permit, request *upstream.Request, claim outcome.Claim) (*answer, error) {
	// What is left where the write panics: nobody knows.
	kept := keptOutcome{err: outcomeUnknown()}
	released := false
	defer func() {
		if !released {
			r.keep(ctx, p.call, claim, kept)
		}
	}()
	a, err := r.write(ctx, p, request)
	kept = keptOutcome{err: err, requestID: p.call.upstreamRequestID}
	if err == nil {
		kept.json = a.json
	}
	if e, ok := errors.AsType[*upstream.Error](err); ok {
		kept.requestID = e.RequestID
	}
	if err != nil && undone(p.call, err) {
		released = true
		r.release(ctx, p.call, claim)
	}
	return a, err
}

// undone tells whether a write that failed has changed nothing, as the table of
// errors has it: then its key is good for another try. What is no error of the
// upstream's comes from the gateway itself, before the upstream is asked.
func undone(c *call, err error) bool {
	if e, ok := errors.AsType[*upstream.Error](err); ok {
		return e.Kind != upstream.OutcomeUnknown
	}
	_, own := errors.AsType[*told](err)
	return own && !c.done
}

// keep remembers what came of a write. If that fails, the caller gets its answer
// all the same, and the key is lost when its lease is over.
func (r *road) keep(ctx context.Context, c *call, claim outcome.Claim, kept keptOutcome) {
	err := claim.Finish(ctx, encodeOutcome(kept))
	if errors.Is(err, cache.ErrTooLarge) {
		// That it was done is kept at least.
		err = errors.Join(err, claim.Finish(ctx, encodeOutcome(keptOutcome{err: outcomeUnknown()})))
	}
	if err != nil {
		r.metrics.keyed("unkept")
		r.idempotency.Logger.ErrorContext(ctx, "what came of a write cannot be kept", "method", c.method.Name(), "error", err.Error())
		return
	}
	r.metrics.keyed("first")
}

// release gives the key back.
func (r *road) release(ctx context.Context, c *call, claim outcome.Claim) {
	r.metrics.keyed("released")
	if err := claim.Abandon(ctx); err != nil {
		r.idempotency.Logger.WarnContext(ctx, "the key of a write that was not made cannot be given back", "method", c.method.Name(), "error", err.Error())
	}
}

// replayed tells everybody that this call did nothing itself.
func (r *road) replayed(ctx context.Context, c *call, counted string) {
	c.idempotency = idempotencyReplayed
	r.metrics.keyed(counted)
	if info, ok := connect.CallInfoForServerContext(ctx); ok {
		info.ResponseHeader().Set(replayedHeader, "true")
	}
}

// key is the caller's own: no other caller has it, whatever it calls it, nor the
// room that it takes.
func (i *Idempotency) key(c *call, key string) outcome.Key {
	canonical := binary.AppendUvarint(nil, uint64(len(c.identity.Caller)))
	canonical = append(canonical, c.identity.Caller...)
	return outcome.Key{Key: cache.Key{Org: i.Scope, Canonical: string(append(canonical, key...))}, Owner: c.identity.Caller}
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

// outcomeUnknown is what is told of a write of which nobody knows what came of it.
func outcomeUnknown() error {
	return fault{
		code: connect.CodeUnknown, reason: upstream.ReasonOutcomeUnknown,
		message: "what came of the call that this " + idempotencyHeader + " was for is not known: the change may have been made; look before you make it with another key",
	}.err()
}
