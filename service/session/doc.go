// Package session answers admingateway.control.v1.SessionService: it exchanges the JWT of
// a caller for a token, and says who calls.
//
// It imports admission, for the identity of a call, and authn, which makes and knows the
// tokens.
package session
