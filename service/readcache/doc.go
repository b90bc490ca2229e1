// Package readcache answers reads from stored answers, in memory and in Redis, and
// makes stored answers stale around writes.
//
// [Step] is the read side: a stored answer, or a flight that several callers share,
// or the steps behind it. [Invalidation] begins the invalidations of a write just
// before it is sent, and ends them after. The package also answers
// admingateway.control.v1.CacheService. It imports package cache, which knows no
// RPCs; docs/caching.md says what callers can rely on.
package readcache
