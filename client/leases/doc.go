// Package leases holds a lease of the gateway's for a program, for as long as the program
// needs a key.
//
// It is for callers of the generated stubs. [Acquire] gets a lease of a role and its key.
// [Holder.Keep] renews the lease, and gets another one when it cannot be renewed any
// more, because of its latest end or because somebody revoked or rotated it: then the
// program gets another key. [Holder.Release] revokes what is left. Whatever becomes of
// the program, the upstream ends each key soon after the last renewal.
//
// Times are computed from differences between times of the gateway's and from this
// process's monotonic clock, so that the two clocks need not agree.
//
// It imports the messages and connect, and nothing else of the project.
package leases
