package service

import (
	"context"
	"errors"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/authz"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// Upstream sends one request to the Admin API.
type Upstream interface {
	// Do returns any 2xx answer whole; everything else is an *upstream.Error.
	Do(ctx context.Context, endpoint *upstream.Endpoint, request *upstream.Request) (*upstream.Reply, error)
}

// Validator checks a request against the rules of its schema.
type Validator interface {
	// Validate reports a broken rule as a *protovalidate.ValidationError.
	Validate(msg proto.Message) error
}

// road serves every method of a catalog.
type road struct {
	catalog       *Catalog
	methods       *authz.Methods
	cache         *cacheStep
	validator     Validator
	callers       Callers
	authenticator Authenticator
	audit         AuditLog
	auditRequired bool
	metrics       *metrics
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
		permitted, err := r.authorize(c, request)
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
	m := c.method
	request, err := m.Endpoint.Request(p.request)
	if err != nil {
		return nil, err
	}
	c.outcome = audit.DecisionAllowed
	var k kept
	if m.Read {
		if k, err = r.cache.read(ctx, p, request); err == nil {
			r.metrics.read(m.Name(), c.cache)
		}
	} else {
		k, err = r.write(ctx, p, request)
	}
	if err != nil {
		if e, ok := errors.AsType[*upstream.Error](err); ok {
			c.upstreamRequestID = e.RequestID
		}
		return nil, err
	}
	return &answer{wire: k.wire, json: k.json, kind: m.Response}, nil
}

func (r *road) write(ctx context.Context, p permit, request *upstream.Request) (kept, error) {
	c := p.call
	if err := r.announce(ctx, c); err != nil {
		return kept{}, err
	}
	reply, err := r.cache.write(ctx, p, request)
	if err != nil {
		e, ok := errors.AsType[*upstream.Error](err)
		c.done = ok && e.Kind == upstream.OutcomeUnknown
		return kept{}, err
	}
	c.upstreamRequestID, c.done = reply.RequestID, true
	wire, err := decode(c.method, reply)
	return kept{wire: wire, json: reply.Body}, err
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
