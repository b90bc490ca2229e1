// Package ledger stands before the ledger of leases: it opens it, also where Redis does
// not answer yet, measures each call, and knows what operators have to know of it.
//
// It imports lease, and internal/redisclient for what a ledger finds out about its Redis.
package ledger
