// Package holds keeps the callers that operators hold, and answers the HoldService. A
// caller that is held may not call, whatever the policy says: package admission asks
// [Holds.Held] for every call.
//
// The holds are a document of the ledger of leases, which all replicas read once a second.
// What was read last holds while the ledger does not answer.
package holds
