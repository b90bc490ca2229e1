// Package authn turns a credential into the name of a caller. It has no
// access to the policy: package authz decides what the caller may do.
//
//	identity.go    the credentials of a call, and the caller that they lead to
//	errors.go      why a call was not authenticated
//	standing.go    whether a credential still is one
//	table.go       the callers and their credentials, compiled
//	authn.go       the decision between the kinds of credential
//	bearer.go      the Authorization header
//	token.go       the gateway's own tokens
//	jwt.go         tokens of OIDC issuers and Kubernetes clusters
//	session.go     short-lived tokens that are made of JWTs
//	revocations.go which of these were revoked
//	issuer.go      configuration of an issuer
//	jwks.go        an issuer's keys: when to fetch, what to keep
//	jwksfetch.go   how to fetch them
//	mtls.go        client certificates
//	tlsfiles.go    server TLS from files that change
//	tlsclient.go   client TLS from files that change
//	spiffe.go      server TLS from a SPIFFE workload API
//
// It imports no other package of service/ and knows no policy. Package callers
// compiles its table, package admission calls it, and the build of the gateway opens
// its TLS configurations.
package authn
