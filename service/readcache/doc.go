// Package readcache answers reads from what is stored, in memory and in Redis, and
// makes stored answers stale around writes.
//
// [Step] is the read side: a stored answer, or a flight that several callers share,
// or the steps behind it. [Invalidation] opens what a write makes stale just before
// it is sent, and closes it after. The package also answers
// admingateway.control.v1.CacheService. It imports package cache, which knows no
// RPCs; docs/caching.md says what callers can rely on.
package readcache
