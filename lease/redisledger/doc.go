// Package redisledger is the ledger of leases that all replicas share, in Redis: a
// [lease.Ledger]. It owns the scripts, of which each makes one transition, and the
// checks of how safe the data are in this Redis ([Ledger.Findings]).
//
// It imports lease, lease/internal/layout, cache/seal and internal/redisclient.
package redisledger
