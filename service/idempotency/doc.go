// Package idempotency remembers what came of writes that came with an idempotency
// key (draft-ietf-httpapi-idempotency-key-header), so that none is made twice.
//
// [Step] claims a key's outcome before the steps behind it make the write, and
// stores what came of it; a repeated call is answered with that. It imports the store
// of outcomes, which knows no RPCs. docs/idempotency.md says what callers can rely
// on.
package idempotency
