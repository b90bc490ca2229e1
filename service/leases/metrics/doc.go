// Package metrics shows what becomes of leases as metrics of Prometheus: it counts mints
// and revocations as a broker tells of them, and asks for numbers of the ledger now and
// then.
//
// It imports lease and lease/broker, for the form of what it is told.
package metrics
