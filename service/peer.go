package service

import (
	"context"
	"crypto/tls"

	"connectrpc.com/connect/v2/connecthttp"
)

type peerTLSKey struct{}

// WithPeerTLS tells the road of the TLS connection that a call came over, for
// doors that are not of connecthttp. A nil state is a connection without TLS.
func WithPeerTLS(ctx context.Context, state *tls.ConnectionState) context.Context {
	return context.WithValue(ctx, peerTLSKey{}, state)
}

// peerTLS is the state of the connection that a call came over; nil without TLS.
func peerTLS(ctx context.Context) *tls.ConnectionState {
	if state, ok := ctx.Value(peerTLSKey{}).(*tls.ConnectionState); ok {
		return state
	}
	if server, ok := connecthttp.ServerInfoForContext(ctx); ok {
		return server.TLS()
	}
	return nil
}
