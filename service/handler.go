package service

import (
	"context"
	"errors"
	"log/slog"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/authz"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// Upstream sends one request to the Admin API.
type Upstream interface {
	// Do returns any 2xx answer whole; everything else is an *upstream.Error.
	Do(ctx context.Context, endpoint *upstream.Endpoint, request *upstream.Request) (*upstream.Reply, error)
}

// road serves every method of a catalog.
type road struct {
	catalog       *Catalog
	methods       *authz.Methods
	cache         *cacheStep
	idempotency   *Idempotency
	validator     Validator
	callers       Callers
	authenticator Authenticator
	authenticated func(context.Context) // nil: nobody is told
	audit         AuditLog
	auditRequired bool
	metrics       *metrics
	health        *healthService // nil: none
	logger        *slog.Logger
	fan           FanOutOptions
	budget        Budget
	tracing       *tracing
}

// handler is the innermost step of the road for one method: decode, validate,
// authorize with the whole request, answer.
func (r *road) handler(m *Method) connect.ServerFunc {
	return func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
		c := callOf(ctx)
		c.outcome = audit.DecisionInvalid
		request := m.Request.New()
		if err := stream.Receive(request.Interface()); err != nil {
			return err
		}
		if err := r.validator.Validate(request.Interface()); err != nil {
			return err
		}
		permitted, err := r.authorize(ctx, c, request)
		if err != nil {
			return err
		}
		a, err := r.answer(ctx, permitted)
		if err != nil {
			return err
		}
		return stream.Send(a)
	}
}

// answer gets the answer to a request that was allowed, from wherever it is had.
func (r *road) answer(ctx context.Context, p permit) (*answer, error) {
	c := p.call
	if c == nil || !c.decision.Allowed {
		return nil, errors.New("a request without a permit")
	}
	step := r.once
	if c.method.Read {
		step = r.read
	}
	c.outcome = audit.DecisionAllowed
	a, err := step(ctx, p)
	if e, ok := errors.AsType[*upstream.Error](err); ok {
		c.upstreamRequestID = e.RequestID
	} else if _, ok := errors.AsType[*upstream.RequestError](err); ok {
		c.outcome = audit.DecisionInvalid
	}
	return a, err
}

func (r *road) read(ctx context.Context, p permit) (*answer, error) {
	ctx, s := r.tracing.stage(ctx, stageCache)
	a, err := r.cache.read(ctx, p)
	outcome := p.call.cache
	if err != nil {
		outcome = cacheError
	}
	s.ended(outcome, err)
	r.metrics.read(p.call.method, outcome)
	return a, err
}

func (r *road) write(ctx context.Context, p permit, request *upstream.Request) (*answer, error) {
	c := p.call
	if err := r.announce(ctx, c); err != nil {
		return nil, err
	}
	setStatus(ctx, statusWrite)
	reply, err := r.cache.write(ctx, p, request)
	if err != nil {
		e, ok := errors.AsType[*upstream.Error](err)
		c.done = ok && e.Kind == upstream.OutcomeUnknown
		return nil, err
	}
	c.upstreamRequestID, c.done = reply.RequestID, true
	wire, err := decode(c.method, reply)
	if err != nil {
		return nil, err
	}
	return &answer{wire: wire, json: reply.Body, kind: c.method.Response}, nil
}

// spec is what the doors need to know of the method.
func (m *Method) spec() connect.Spec {
	level := connect.IdempotencyUnknown
	if m.Read {
		level = connect.IdempotencyNoSideEffects
	}
	return connect.Spec{
		StreamType:       connect.StreamTypeUnary,
		IdempotencyLevel: level,
		Schema:           m.Descriptor,
		Procedure:        m.Procedure,
	}
}
