// Package idempotency stores the outcomes of writes with an idempotency key
// (draft-ietf-httpapi-idempotency-key-header), so that none is made twice.
//
// [Step] claims the key before the steps behind it make the write, and stores the
// outcome; a repeated call is answered with it. It imports the store of outcomes,
// which knows no RPCs. docs/idempotency.md says what callers can rely on.
package idempotency
