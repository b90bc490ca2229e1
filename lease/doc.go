// Package lease owns what the gateway knows about the keys that it hands out: the
// record of a lease, its states, and the contract of the ledger that keeps it.
//
//   - [Record] is one lease; [State] says how far it has come, and [Move] is the only
//     way from one state to the next.
//   - [Ledger] keeps records so that they survive the process: lease/redisledger for
//     all replicas, lease/fileledger for one process. lease/ledgertest is their
//     contract.
//   - [Secret] is a key on its way to whom it is for.
//
// It knows no RPC, no policy and no upstream. It imports the standard library alone;
// the ledgers import it, and what decides about leases will.
package lease
