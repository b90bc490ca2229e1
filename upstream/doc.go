// Package upstream is the REST client of the OpenAI Admin API.
//
// An [Endpoint] is compiled once from a method's google.api.http annotation. It turns a
// request message into a [Request] without side effects, and an answer's JSON into
// protobuf wire bytes. A [Client] sends Requests: one attempt each, bounded in time and
// in bytes, and never a second one once any of the first may have arrived. A [Sender]
// decides about attempts: it waits for the request budget, retries what is safe to
// retry, and stops calls while the upstream is failing.
//
// The package knows no callers and no cache. One table in errors.go has all failures.
package upstream
