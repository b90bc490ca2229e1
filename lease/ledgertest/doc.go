// Package ledgertest is the contract of a [lease.Ledger], as tests: [Contract] has
// what each of them must do, and [Model] is the ledger that all of them must agree
// with, whatever is done in whatever order.
//
// It imports lease and rapid. Tests of lease/redisledger and lease/fileledger call it,
// and no other code does.
package ledgertest
