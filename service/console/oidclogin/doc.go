// Package oidclogin logs people in with an OpenID provider: the authorization code flow
// with PKCE, a state and a nonce. What comes out is an ID token, which is a JWT of an issuer
// that the gateway's callers may come with; who its subject is, is for the policy.
//
// It imports nothing of the project.
package oidclogin
