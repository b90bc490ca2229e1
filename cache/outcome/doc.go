// Package outcome owns the outcomes of operations that must happen at most once:
// who has the claim to an operation, and how it ended. It is the store behind
// idempotency keys.
//
// It is no cache: no write makes an outcome stale, none is evicted to make room,
// and where the store cannot be asked, the operation is refused.
//
//   - [Memory] is the store of one process, bounded by bytes, by number and by
//     each owner's share.
//   - [Redis] is shared by all replicas.
//   - [Sealed] encrypts what the store below it holds.
//
// All keep one contract, that of [Store].
//
// It imports cache, for keys and metrics, cache/seal and internal/redisclient. Its
// callers are service, which claims and ends keyed writes, and cmd/gateway.
package outcome
