package service

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"strings"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/authn"
	"github.com/admin-gateway/admin-gateway/service/authz"
	"github.com/admin-gateway/admin-gateway/service/callers"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// Callers holds the policy in force.
type Callers interface {
	// Current is asked once a call.
	Current() *callers.Set
}

// Authenticator tells who makes a call.
type Authenticator interface {
	// Authenticate fails with an *authn.Error.
	Authenticate(ctx context.Context, table *authn.Table, evidence authn.Evidence) (authn.Identity, error)
}

// secured is what a door says of the connection on which a call came:
// connecthttp.ServerInfo is one, and every door with TLS has one.
type secured interface {
	// TLS is the state that crypto/tls gave, nil for a connection without TLS.
	TLS() *tls.ConnectionState
}

// withAuthentication finds out who calls, for every door in the same way. Who
// cannot show it is told one thing, whatever the reason.
func (r *road) withAuthentication(next connect.ServerFunc) connect.ServerFunc {
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		c := callOf(ctx)
		c.outcome = audit.DecisionUnauthenticated
		c.rules = r.callers.Current()
		info, ok := connect.CallInfoForServerContext(ctx)
		if !ok {
			return errors.New("a call without headers")
		}
		evidence := authn.Evidence{Authorization: info.RequestHeader().Values("Authorization")}
		if connection, ok := info.TransportInfo.(secured); ok {
			evidence.TLS = connection.TLS()
		}
		authenticating, s := r.tracing.stage(ctx, stageAuthenticate)
		identity, err := r.authenticator.Authenticate(authenticating, c.rules.Table, evidence)
		s.end(err)
		if err != nil {
			reason := authn.ReasonMalformed
			if refused, ok := errors.AsType[*authn.Error](err); ok {
				reason = refused.Reason
			}
			c.reason = string(reason)
			r.metrics.unauthenticated(reason)
			info.ResponseHeader().Set("WWW-Authenticate", "Bearer")
			return &rpcerror.Error{Code: connect.CodeUnauthenticated, Reason: rpcerror.ReasonUnauthenticated, Message: "no valid credential came with the call", Cause: err}
		}
		c.identity = identity
		if r.authenticated != nil {
			r.authenticated(ctx)
		}
		return next(ctx, spec, stream)
	}
}

// withLimits holds every caller to the rate and the number of calls that its
// policy allows.
func (r *road) withLimits(next connect.ServerFunc) connect.ServerFunc {
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		c := callOf(ctx)
		c.outcome = audit.DecisionLimited
		limiter := c.rules.Limiter(c.identity.Caller)
		if limiter == nil {
			return errors.New("a caller without limits")
		}
		wait, ok := limiter.Start()
		if !ok {
			r.metrics.limited.Inc()
			return &rpcerror.Error{
				Code: connect.CodeResourceExhausted, Reason: rpcerror.ReasonCallerLimit, RetryAfter: wait,
				Message: "the caller's own limit is reached",
			}
		}
		defer limiter.Done()
		return next(ctx, spec, stream)
	}
}

// withPermission refuses who may not call the method at all, before anything of
// the request is decoded. It goes by the procedure, never by a URL, and refuses
// what is not in the catalog.
func (r *road) withPermission(next connect.ServerFunc) connect.ServerFunc {
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		c := callOf(ctx)
		c.outcome = audit.DecisionDenied
		handle, ok := r.methods.Lookup(spec.Procedure)
		if !ok {
			return &rpcerror.Error{Code: connect.CodeUnimplemented, Reason: rpcerror.ReasonUnknownMethod, Message: "no such method"}
		}
		c.handle = handle
		c.method, _ = r.catalog.Lookup(spec.Procedure)
		c.own = r.catalog.lookupOwn(spec.Procedure)
		c.decision = c.rules.Policy.MayCall(c.identity.Caller, handle)
		if c.method == nil && c.own == nil && c.decision.Allowed {
			// Reflection has no one request that a grant limited to some could be
			// held against: only a grant without limits holds.
			c.decision = c.rules.Policy.Decide(c.identity.Caller, handle, (&emptypb.Empty{}).ProtoReflect())
		}
		if !c.decision.Allowed {
			return r.denied(c)
		}
		c.outcome = audit.DecisionAllowed
		return next(ctx, spec, stream)
	}
}

// permit shows that a request was allowed to its caller. authorize makes it, and
// nothing else can: whatever answers a request, from a cache, from a flight that
// is under way or from the upstream, takes a permit and not a request.
type permit struct {
	call    *call
	request protoreflect.Message
	wish    wish
}

// authorize decides with the whole request.
func (r *road) authorize(ctx context.Context, c *call, request protoreflect.Message) (permit, error) {
	c.request = request
	_, s := r.tracing.stage(ctx, stageAuthorize)
	c.decision = c.rules.Policy.Decide(c.identity.Caller, c.handle, request)
	s.end(nil)
	if !c.decision.Allowed {
		c.outcome = audit.DecisionDenied
		return permit{}, r.denied(c)
	}
	p := permit{call: c, request: request}
	if wished, ok := wishOf(ctx); ok && c.method != nil && c.method.refresh != nil {
		p.wish = wished
		p.wish.ignored = !c.rules.Policy.Decide(c.identity.Caller, c.method.refresh, request).Allowed
	}
	return p, nil
}

// denied tells the caller which permission, and which of the projects that it
// named, is missing; nothing of the policy and of other callers.
func (r *road) denied(c *call) error {
	d := c.decision
	c.reason = d.Reason.String()
	r.metrics.denied(d.Reason)
	metadata := map[string]string{"permission": d.Permission}
	message := "the caller lacks the permission " + d.Permission
	switch d.Reason {
	case authz.ProjectOutOfScope:
		// The caller's own word, which may be of any length.
		project := clip(d.Project)
		message += " in the project " + project
		metadata["project"] = project
	case authz.ProjectMissing:
		message += " beyond some projects, and the request names none"
	case authz.OrganizationWide:
		message += " beyond some projects, and this method is about the whole organization"
	case authz.ConditionFalse, authz.ConditionFailed:
		message = "the caller has the permission " + d.Permission + " under a condition that this request does not meet"
	case authz.Granted, authz.UnknownCaller, authz.NoPermission, authz.Denied:
	}
	return &rpcerror.Error{
		Code: connect.CodePermissionDenied, Reason: rpcerror.ReasonPermissionDenied, Message: message, Metadata: metadata,
		Cause: &denial{d},
	}
}

// clip bounds what a caller chose and is repeated, to it or in the log.
func clip(s string) string {
	const most = 256
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// denial is what the log keeps of a refusal.
type denial struct{ authz.Decision }

func (d *denial) Error() string {
	return "denied: " + d.Reason.String()
}

// LogValue implements [slog.LogValuer].
func (d *denial) LogValue() slog.Value {
	return slog.GroupValue(slog.String("reason", d.Reason.String()), slog.String("grant", d.Grant))
}
