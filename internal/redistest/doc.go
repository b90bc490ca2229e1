// Package redistest starts real Redis servers for tests, of every kind that can be
// configured: with users, with TLS, as a cluster, behind a sentinel. It imports
// go-redis, internal/suitetest and internal/timetest. Tests of cache, lease,
// upstream/pace, service and cmd/gateway call it, and no other code does.
package redistest
