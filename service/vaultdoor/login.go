package vaultdoor

import (
	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1/controlv1connect"
	"github.com/admin-gateway/admin-gateway/internal/digest"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// loginRoutes are the logins, and those about the token of a call itself.
func loginRoutes(logins []string) []*route {
	var routes []*route
	for _, login := range logins {
		r := newRoute(writes, "auth/"+login+"/login", controlv1connect.SessionServiceCreateSessionProcedure, loginRequest, loggedIn)
		r.jwt = true
		routes = append(routes, r)
	}
	return append(routes,
		newRoute(either, "auth/token/lookup-self", controlv1connect.SessionServiceGetSessionProcedure, selfRequest, lookedUp),
		newRoute(writes, "auth/token/lookup", controlv1connect.SessionServiceGetSessionProcedure, ownRequest, lookedUp),
		newRoute(writes, "auth/token/renew-self", controlv1connect.SessionServiceGetSessionProcedure, selfRequest, kept),
		newRoute(writes, "auth/token/renew", controlv1connect.SessionServiceGetSessionProcedure, ownRequest, kept),
		newRoute(writes, "auth/token/revoke-self", controlv1connect.SessionServiceRevokeSessionProcedure, revokeSelfRequest, revokedSelf),
	)
}

// defaultPolicies are those of every token: what the policy grants is not for its caller
// to read.
func defaultPolicies() []string { return []string{"default"} }

// loginRequest has nothing to say: the credential of the call is the JWT. The role of a
// login means nothing here, because the policy is that of the subject.
func loginRequest(x *exchange) (*controlv1.CreateSessionRequest, error) {
	said, err := x.parameters()
	if err != nil {
		return nil, err
	}
	_, err = said.text("role")
	return &controlv1.CreateSessionRequest{}, err
}

func loggedIn(x *exchange, m *controlv1.CreateSessionResponse) *reply {
	return x.enveloped(envelope{Auth: authOf(m.GetToken(), m.GetSession())})
}

// authOf describes a token. It is not renewable: it ends with the JWT that it was made of,
// and clients log in again.
func authOf(token string, s *controlv1.Session) *auth {
	return &auth{
		ClientToken: token, Policies: defaultPolicies(), TokenPolicies: defaultPolicies(), Metadata: map[string]string{"caller": s.GetCaller()},
		LeaseDuration: seconds(s.GetExpiresAt()), TokenType: "service", Orphan: true,
	}
}

func selfRequest(x *exchange) (*controlv1.GetSessionRequest, error) {
	said, err := x.parameters()
	if err != nil {
		return nil, err
	}
	_, err = said.duration("increment")
	return &controlv1.GetSessionRequest{}, err
}

// ownRequest is for paths that name a token, which has to be the caller's own: no other
// is anybody's to ask about.
func ownRequest(x *exchange) (*controlv1.GetSessionRequest, error) {
	q, err := selfRequest(x)
	if err != nil {
		return nil, err
	}
	token, err := x.said.text("token")
	if err != nil {
		return nil, err
	}
	if !digest.Of([]byte(token)).Equal(digest.Of([]byte(x.credential))) {
		return nil, rpcerror.InvalidField("token", "is not the token of this request; there is no other to ask about", nil)
	}
	return q, nil
}

func lookedUp(x *exchange, m *controlv1.GetSessionResponse) *reply {
	s := m.GetSession()
	data := map[string]any{
		"accessor": "", "creation_time": 0, "creation_ttl": 0, "display_name": s.GetCaller(), "entity_id": "", "expire_time": instant(s.GetExpiresAt()),
		"explicit_max_ttl": 0, "id": x.credential, "issue_time": instant(s.GetCreatedAt()), "meta": map[string]string{"caller": s.GetCaller()}, "num_uses": 0,
		"orphan": true, "path": "auth/" + s.GetAuthenticatedBy(), "policies": defaultPolicies(), "renewable": false, "ttl": seconds(s.GetExpiresAt()), "type": "service",
	}
	if made := s.GetCreatedAt(); made != nil {
		data["creation_time"], data["creation_ttl"] = made.GetSeconds(), s.GetExpiresAt().GetSeconds()-made.GetSeconds()
	}
	return x.enveloped(envelope{Data: data})
}

// kept is the answer to a renewal: the token as it is.
func kept(x *exchange, m *controlv1.GetSessionResponse) *reply {
	return x.enveloped(envelope{Auth: authOf(x.credential, m.GetSession())})
}

func revokeSelfRequest(x *exchange) (*controlv1.RevokeSessionRequest, error) {
	_, err := x.parameters()
	return &controlv1.RevokeSessionRequest{}, err
}

func revokedSelf(*exchange, *controlv1.RevokeSessionResponse) *reply { return nothing() }
