package admission

import (
	"context"
	"errors"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/authn"
	"github.com/admin-gateway/admin-gateway/service/callers"
	"github.com/admin-gateway/admin-gateway/service/door"
	"github.com/admin-gateway/admin-gateway/service/observe"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// WithAuthentication is the interceptor that authenticates the caller, in the same
// way for every door. A caller that is not authenticated gets one error, whatever
// the reason; so does one whose credential ceases to be one while the call goes on.
func (c *Controller) WithAuthentication(next connect.ServerFunc) connect.ServerFunc {
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		account := &accounting.From(ctx).Admission
		account.Verdict = audit.DecisionUnauthenticated
		info, headers := connect.CallInfoForServerContext(ctx)
		connection, connected := door.ConnectionOf(ctx)
		if !headers || !connected {
			return errors.New("admission: a call without headers or connection")
		}
		begun := &authenticated{principal: principal{Context: ctx, rules: c.callers.Current()}}
		p := &begun.principal
		evidence := authn.Evidence{Authorization: info.RequestHeader().Values("Authorization"), TLS: connection.TLS()}
		authenticating, span := c.tracer.Stage(ctx, observe.StageAuthenticate)
		var err error
		p.identity, err = c.authenticator.Authenticate(authenticating, p.rules.Table, evidence)
		span.End(err)
		if err != nil {
			reason := authn.ReasonMalformed
			if refused, ok := errors.AsType[*authn.Error](err); ok {
				reason, account.Presented = refused.Reason, refused.Presented
			}
			account.Reason = string(reason)
			c.metrics.unauthenticated.WithLabelValues(string(reason)).Inc()
			info.ResponseHeader().Set("WWW-Authenticate", "Bearer")
			return unauthenticated(err)
		}
		account.Identity = p.identity
		if err := connection.Trust(p.identity.Caller); err != nil {
			account.Verdict = audit.DecisionLimited
			return noPlace(err)
		}
		return c.serve(begun, connection, next, spec, stream) //nolint:contextcheck // It is ctx, with a principal.
	}
}

// noPlace is the error of a caller for whose connection the door has no place.
func noPlace(cause error) error {
	return &rpcerror.Error{
		Code: connect.CodeResourceExhausted, Reason: rpcerror.ReasonConnectionLimit, RetryAfter: time.Second,
		Message: "too many connections have calls under way", Cause: cause,
	}
}

// WithLimits is the interceptor that holds every caller to the rate and the number
// of calls that its policy allows. Streams have places of their own: few long ones do
// not take those of the others, and many do not exist.
func (c *Controller) WithLimits(next connect.ServerFunc) connect.ServerFunc {
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		accounting.From(ctx).Admission.Verdict = audit.DecisionLimited
		p, err := principalOf(ctx)
		if err != nil {
			return err
		}
		limiter := p.rules.Limiter(p.identity.Caller)
		if limiter == nil {
			return errors.New("admission: a caller without limits")
		}
		kind := callers.Single
		if spec.StreamType != connect.StreamTypeUnary {
			kind = callers.Stream
		}
		wait, ok := limiter.Start(kind)
		if !ok {
			c.metrics.limited.Inc()
			return &rpcerror.Error{
				Code: connect.CodeResourceExhausted, Reason: rpcerror.ReasonCallerLimit, RetryAfter: wait,
				Message: "the caller's limit is reached",
			}
		}
		defer limiter.Done(kind)
		return next(ctx, spec, stream)
	}
}

// WithPermission is the interceptor that refuses a caller that may not call the
// method at all, before anything of the request is decoded. It goes by the
// procedure, never by a URL, and refuses procedures that the catalog does not have.
func (c *Controller) WithPermission(next connect.ServerFunc) connect.ServerFunc {
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		account := &accounting.From(ctx).Admission
		account.Verdict = audit.DecisionDenied
		p, err := principalOf(ctx)
		if err != nil {
			return err
		}
		m, ok := c.catalog.Lookup(spec.Procedure)
		if !ok {
			return UnknownMethod()
		}
		account.Method = m
		account.Decision = p.rules.Policy.MayCall(p.identity.Caller, m.Access())
		if m.ClientStream && account.Decision.Allowed {
			// There is no single request to check a limited grant against: only a grant
			// without limits holds.
			account.Decision = p.rules.Policy.Decide(p.identity.Caller, m.Access(), (&emptypb.Empty{}).ProtoReflect(), time.Now())
		}
		if !account.Decision.Allowed {
			return c.denied(account)
		}
		account.Verdict = audit.DecisionInvalid // Until a decision on the request.
		if m.ClientStream {
			account.Verdict = audit.DecisionAllowed
		}
		return next(ctx, spec, stream)
	}
}

// UnknownMethod is the error of a call of a procedure that does not exist.
func UnknownMethod() error {
	return &rpcerror.Error{Code: connect.CodeUnimplemented, Reason: rpcerror.ReasonUnknownMethod, Message: "no such method"}
}
