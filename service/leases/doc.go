// Package leases answers the RPCs of LeaseService. It is between package lease/broker,
// which knows no RPC, and the rest of the gateway: it asks the policy about each lease,
// makes the calls upstream through the one chain of steps, and turns rows of the ledger
// into messages.
//
// It imports lease and lease/broker, admission for the permit and the decision, agent for
// the gateway's own calls, pipeline for the contract of handlers, and no step.
package leases
