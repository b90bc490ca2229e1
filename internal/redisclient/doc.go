// Package redisclient is how the gateway reaches Redis. It owns
//
//   - the client ([New]): URL, TLS, credentials, and timeouts that are short
//     because a caller waits behind each of them;
//   - the guard around each call ([Guard]): a deadline, a circuit breaker, and
//     errors without the arguments that Redis repeats;
//   - the names of keys ([KeyPrefix]).
//
// It imports go-redis and gobreaker and no other package of the gateway. Its
// callers are cache, cache/outcome, internal/fleet, lease/redisledger and upstream/pace, which must
// not import each other for it, and cmd/gateway, which makes the clients.
package redisclient
