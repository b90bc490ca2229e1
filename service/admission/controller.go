package admission

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"buf.build/go/protovalidate"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	"github.com/admin-gateway/admin-gateway/service/authn"
	"github.com/admin-gateway/admin-gateway/service/callers"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/observe"
)

// Callers holds the policy in force.
type Callers interface {
	// Current is called once for each call, and for each part of a call. A set that
	// another replaces is superseded.
	Current() *callers.Set
}

// Authenticator finds the caller of a call.
type Authenticator interface {
	// Authenticate fails with an *authn.Error.
	Authenticate(ctx context.Context, table *authn.Table, evidence authn.Evidence) (authn.Identity, error)
	// Stands fails when the credential of an identity is not one of its caller any
	// more. It does not wait.
	Stands(table *authn.Table, identity authn.Identity) error
}

// Validator checks a request against the rules of its schema.
type Validator interface {
	// Validate reports a broken rule as a *protovalidate.ValidationError.
	Validate(msg proto.Message) error
}

// NewValidator makes one that applies buf.validate rules. It compiles those of a
// message at its first use, and is safe for concurrent use. A rule that cannot
// be evaluated is an internal error of the call, never a pass.
func NewValidator() (Validator, error) {
	rules, err := protovalidate.New()
	if err != nil {
		return nil, fmt.Errorf("admission: rules of requests: %w", err)
	}
	return &requestValidator{rules: rules}, nil
}

type requestValidator struct {
	rules protovalidate.Validator
	plain sync.Map // of *plain, by the protoreflect.MessageDescriptor
}

// Validate implements [Validator].
func (v *requestValidator) Validate(msg proto.Message) error {
	m := msg.ProtoReflect()
	known, ok := v.plain.Load(m.Descriptor())
	if !ok {
		known, _ = v.plain.LoadOrStore(m.Descriptor(), plainOf(m.Descriptor()))
	}
	if p, ok := known.(*plain); ok && p.keeps(m) {
		return nil
	}
	return v.rules.Validate(msg)
}

// Options configure [New]. Catalog, Callers, Authenticator and Validator are
// required.
type Options struct {
	// Catalog has the methods that can be called.
	Catalog *catalog.Catalog
	// Callers holds the policy in force.
	Callers Callers
	// Authenticator finds the caller of a call.
	Authenticator Authenticator
	// Validator checks requests.
	Validator Validator
	// Leased protects what leases have; nil protects nothing.
	Leased Leased
	// Held knows the callers that are held; nil knows none. Whoever changes it calls
	// [Controller.Review].
	Held Held
	// Metrics counts refusals; with nil they are not exported.
	Metrics prometheus.Registerer
	// Tracer makes the spans of the stages; nil makes none.
	Tracer *observe.Tracer
}

// Controller decides which calls are allowed. It is safe for concurrent use.
type Controller struct {
	catalog       *catalog.Catalog
	callers       Callers
	authenticator Authenticator
	validator     Validator
	guard         guard
	held          Held
	tenures       tenures
	metrics       *metrics
	tracer        *observe.Tracer
}

// New makes a Controller.
func New(o Options) (*Controller, error) {
	if o.Catalog == nil || o.Callers == nil || o.Authenticator == nil || o.Validator == nil {
		return nil, errors.New("admission: Options.Catalog, Callers, Authenticator and Validator are required")
	}
	counters, err := newMetrics(o.Metrics)
	if err != nil {
		return nil, fmt.Errorf("admission: metrics: %w", err)
	}
	protected, err := newGuard(o.Leased, o.Catalog)
	if err != nil {
		return nil, err
	}
	return &Controller{
		catalog: o.Catalog, callers: o.Callers, authenticator: o.Authenticator, validator: o.Validator, guard: protected, held: o.Held, metrics: counters, tracer: o.Tracer,
	}, nil
}

// principal is a context with the caller of a call, and the policy that was in force
// when it came: a reload in the middle of a call must not mix two policies.
type principal struct {
	context.Context
	identity authn.Identity
	rules    *callers.Set
	// part says that the request is one of the many of a fan-out. It is decided
	// by the policy that is in force at the moment: a stream can outlast many.
	part bool
	// tenure ends the call with its credential or a hold, and beyond is the context of the
	// call without that end.
	tenure *tenure
	beyond context.Context
}

type principalKey struct{}

// Value implements [context.Context].
func (p *principal) Value(key any) any {
	if key == (principalKey{}) {
		return p
	}
	return p.Context.Value(key)
}

// errNoPrincipal is a chain without [Controller.WithAuthentication].
var errNoPrincipal = errors.New("admission: the call has no principal")

func principalOf(ctx context.Context) (*principal, error) {
	p, ok := ctx.Value(principalKey{}).(*principal)
	if !ok {
		return nil, errNoPrincipal
	}
	return p, nil
}

// IdentityOf is who makes the call of ctx. It is for answers about the caller itself: no
// decision is made from it.
func IdentityOf(ctx context.Context) (authn.Identity, error) {
	p, err := principalOf(ctx)
	if err != nil {
		return authn.Identity{}, err
	}
	return p.identity, nil
}

// Part returns a context for the requests of a fan-out. Each of them is authorized
// for the same caller and the same credential, by the policy in force at its time, and
// waits for the upstream's budget behind interactive calls.
func (c *Controller) Part(ctx context.Context) (context.Context, error) {
	p, err := principalOf(ctx)
	if err != nil {
		return nil, err
	}
	return &principal{Context: ctx, identity: p.identity, part: true, tenure: p.tenure, beyond: p.beyond}, nil
}
