// Package upstream is the REST client of the OpenAI Admin API.
//
// An [Endpoint] is compiled once from a method's google.api.http annotation. It
// turns a request message into a [Request] without doing anything, and an
// answer's JSON into protobuf wire bytes. A [Client] sends Requests: one
// attempt each, bounded in time and in bytes, and never a second one once any
// of the first may have arrived. A [Sender] decides about attempts: it waits for
// the request budget, tries again what is safe to, and gives a failing upstream
// a pause.
//
// The package knows no callers and no cache. What can go wrong is one table, in
// errors.go.
package upstream
