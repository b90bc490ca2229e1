package session

import (
	"context"
	"errors"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/types/known/timestamppb"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1/controlv1connect"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/authn"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// Sessions makes and revokes sessions. An [*authn.Authenticator] is one.
type Sessions interface {
	// NewSession fails with [authn.ErrNoSessions], [authn.ErrNotJWT] or an [*authn.Error].
	NewSession(ctx context.Context, identity authn.Identity) (authn.Session, error)
	// RevokeSession fails with [authn.ErrNotSession] or an [*authn.SessionLimitError].
	RevokeSession(identity authn.Identity) error
}

// Dependencies are what [Handlers] ask.
type Dependencies struct {
	// Sessions makes and revokes sessions; nil: there are none.
	Sessions Sessions
	// Admission knows the policy of the caller of a call.
	Admission *admission.Controller
	// Catalog has the methods that a caller may call.
	Catalog *catalog.Catalog
}

// service answers admingateway.control.v1.SessionService.
type service struct {
	sessions Sessions
	access   access
}

// Handlers answer admingateway.control.v1.SessionService.
func Handlers(d Dependencies) pipeline.Handlers {
	if d.Sessions == nil {
		d.Sessions = none{}
	}
	s := service{d.Sessions, access{d.Admission, d.Catalog}}
	return pipeline.Handlers{
		controlv1connect.SessionServiceCreateSessionProcedure: pipeline.Unary(s.create),
		controlv1connect.SessionServiceGetSessionProcedure:    pipeline.Unary(s.get),
		controlv1connect.SessionServiceGetAccessProcedure:     pipeline.Unary(s.getAccess),
		controlv1connect.SessionServiceRevokeSessionProcedure: pipeline.Unary(s.revoke),
	}
}

// none makes no sessions.
type none struct{}

// NewSession implements [Sessions].
func (none) NewSession(context.Context, authn.Identity) (authn.Session, error) {
	return authn.Session{}, authn.ErrNoSessions
}

// RevokeSession implements [Sessions].
func (none) RevokeSession(authn.Identity) error { return authn.ErrNotSession }

func (s service) create(ctx context.Context, _ admission.Permit, _ *controlv1.CreateSessionRequest) (*controlv1.CreateSessionResponse, error) {
	identity, err := admission.IdentityOf(ctx)
	if err != nil {
		return nil, err
	}
	made, err := s.sessions.NewSession(ctx, identity)
	if err != nil {
		return nil, toCaller(err)
	}
	return &controlv1.CreateSessionResponse{
		Token: made.Token,
		Session: &controlv1.Session{
			Caller: identity.Caller, AuthenticatedBy: authn.MethodSession, CreatedAt: instant(made.Created), ExpiresAt: instant(made.Ends),
		},
	}, nil
}

func (s service) get(ctx context.Context, _ admission.Permit, _ *controlv1.GetSessionRequest) (*controlv1.GetSessionResponse, error) {
	identity, err := admission.IdentityOf(ctx)
	if err != nil {
		return nil, err
	}
	return &controlv1.GetSessionResponse{Session: describe(identity)}, nil
}

func (s service) getAccess(ctx context.Context, _ admission.Permit, _ *controlv1.GetAccessRequest) (*controlv1.GetAccessResponse, error) {
	identity, err := admission.IdentityOf(ctx)
	if err != nil {
		return nil, err
	}
	found, err := s.access.of(ctx)
	if err != nil {
		return nil, err
	}
	return &controlv1.GetAccessResponse{Session: describe(identity), Access: found}, nil
}

// describe is a caller and its credential.
func describe(identity authn.Identity) *controlv1.Session {
	found := &controlv1.Session{Caller: identity.Caller, AuthenticatedBy: identity.Method, ExpiresAt: instant(identity.Expires)}
	if created, ok := authn.SessionOf(identity); ok {
		found.CreatedAt = instant(created)
	}
	return found
}

func (s service) revoke(ctx context.Context, _ admission.Permit, _ *controlv1.RevokeSessionRequest) (*controlv1.RevokeSessionResponse, error) {
	identity, err := admission.IdentityOf(ctx)
	if err == nil {
		err = s.sessions.RevokeSession(identity)
	}
	if err != nil {
		return nil, toCaller(err)
	}
	return &controlv1.RevokeSessionResponse{}, nil
}

// toCaller is the error of a call.
func toCaller(err error) error {
	limited, atLimit := errors.AsType[*authn.SessionLimitError](err)
	expired, isExpired := errors.AsType[*authn.Error](err)
	switch {
	case errors.Is(err, authn.ErrNoSessions):
		return &rpcerror.Error{
			Code: connect.CodeFailedPrecondition, Reason: rpcerror.ReasonSessionsDisabled, Cause: err,
			Message: "this gateway makes no sessions: vault_listen is not configured, or vault.logins is empty",
		}
	case errors.Is(err, authn.ErrNotJWT):
		return &rpcerror.Error{
			Code: connect.CodeFailedPrecondition, Reason: rpcerror.ReasonSessionNeedsJWT, Cause: err,
			Message: "a session is made of a JWT of a configured issuer, and the call came with another credential: use that one as it is",
		}
	case errors.Is(err, authn.ErrNotSession):
		return &rpcerror.Error{
			Code: connect.CodeFailedPrecondition, Reason: rpcerror.ReasonNotSession, Cause: err,
			Message: "the call came with a credential that is not a session; only its issuer or the policy can end it",
		}
	case atLimit:
		return &rpcerror.Error{
			Code: connect.CodeResourceExhausted, Reason: rpcerror.ReasonSessionLimit, Cause: err, RetryAfter: limited.RetryAfter,
			Message: "as many sessions are revoked as may be; this one ends by itself",
		}
	case isExpired:
		return &rpcerror.Error{
			Code: connect.CodeUnauthenticated, Reason: rpcerror.ReasonUnauthenticated, Cause: expired,
			Message: "no valid credential came with the call",
		}
	default:
		return err
	}
}

// instant is absent where there is none.
func instant(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
