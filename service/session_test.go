package service_test

import (
	"context"
	"testing"
	"time"

	"connectrpc.com/connect/v2"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1/controlv1connect"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/authn"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// fullSessions revokes no session more.
type fullSessions struct{}

func (fullSessions) NewSession(context.Context, authn.Identity) (authn.Session, error) {
	return authn.Session{}, &authn.Error{Reason: authn.ReasonExpired}
}

func (fullSessions) RevokeSession(authn.Identity) error {
	return &authn.SessionLimitError{RetryAfter: time.Minute}
}

// TestSessionErrors: the errors of SessionService, and who a caller with a token is.
func TestSessionErrors(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	without := gatewaytest.New(t)
	full := gatewaytest.New(t, gatewaytest.WithOptions(func(o *service.Options) { o.Sessions = fullSessions{} }))
	jwts := gatewaytest.New(t, newJWTIssuer(t).trusted(t))
	for name, test := range map[string]struct {
		of     *gatewaytest.Gateway
		code   connect.Code
		create string
		revoke string
	}{
		"without sessions":    {without, connect.CodeFailedPrecondition, rpcerror.ReasonSessionsDisabled, rpcerror.ReasonNotSession},
		"with another token":  {jwts, connect.CodeFailedPrecondition, rpcerror.ReasonSessionNeedsJWT, rpcerror.ReasonNotSession},
		"without a place":     {full, connect.CodeResourceExhausted, "", rpcerror.ReasonSessionLimit},
		"with an expired JWT": {full, connect.CodeUnauthenticated, rpcerror.ReasonUnauthenticated, ""},
	} {
		client := controlv1connect.NewSessionServiceClient(test.of.Client("root"))
		if test.create != "" {
			if _, err := client.CreateSession(ctx, &controlv1.CreateSessionRequest{}); connect.CodeOf(err) != test.code || reason(t, err) != test.create {
				t.Errorf("%s: CreateSession: %v", name, err)
			}
		}
		if test.revoke != "" {
			if _, err := client.RevokeSession(ctx, &controlv1.RevokeSessionRequest{}); connect.CodeOf(err) != test.code || reason(t, err) != test.revoke {
				t.Errorf("%s: RevokeSession: %v", name, err)
			}
		}
		got, err := client.GetSession(ctx, &controlv1.GetSessionRequest{})
		if err != nil || got.GetSession().GetCaller() != "root" || got.GetSession().GetAuthenticatedBy() != authn.MethodToken || got.GetSession().GetExpiresAt() != nil || got.GetSession().GetCreatedAt() != nil {
			t.Errorf("%s: GetSession: %v, %v", name, got, err)
		}
	}
}
