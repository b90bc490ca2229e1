// Package ledger stands before the ledger of leases: it opens it, also where Redis does
// not answer yet, measures each call, and knows what operators have to know of it.
//
// It imports lease and the two ledgers, and nothing else of the project.
package ledger
