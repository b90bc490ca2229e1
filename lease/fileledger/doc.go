// Package fileledger is the ledger of leases of one process, in a file: a
// [lease.Ledger] over bbolt, which makes each change durable before it returns. It
// owns the file, its lock and the key beside it with which secrets are sealed.
//
// It imports lease, lease/internal/layout and cache/seal.
package fileledger
