// Package door is the interface between doors and interceptors: a [Connection], in
// the context of each call. A door is an adapter from a wire protocol to calls of
// one connect.Server.
//
// It also bounds what requests are made of, for the codecs of all doors.
//
// Of the project it imports internal/lazyctx alone, so that doors and interceptors can
// both import it.
package door
