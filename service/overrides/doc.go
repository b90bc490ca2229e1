// Package overrides keeps what operators decide about single callers, for a time and
// whatever the policy says: that a caller is held, or has other limits. A kind of them is a
// [Store].
//
// A kind is a document of the ledger of leases, which all replicas read once a second. What
// was read last holds while the ledger does not answer.
package overrides
