// Package broker gives leases of roles, and ends them. It is the protocol between the
// ledger, which says what is durable, and the upstream, which has the keys: what is
// written down before what is sent, and what becomes of it if the answer is lost.
//
// A credential is a row of the ledger without a caller, and a key upstream. A lease is a
// row with a caller, and has a seat in a credential. Share, spares, rotation and static
// roles are leases that take seats, and credentials that are made ahead or replaced.
//
// [Broker] serves callers. [Keeper] does what is due behind them, in one replica at a
// time. Both may stop at any point: whatever was begun is found in the ledger.
//
// It imports lease, lease/marker and service/roles, and knows no RPC, no policy and no
// HTTP: package service/leases is between it and these.
package broker
