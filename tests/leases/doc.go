// Package leases tests from outside that no key outlives its lease, whenever a gateway
// dies. Gateways run as processes in front of a sandbox in this one, which knows every key
// that was ever made. Tenants ask for leases, keep them, rotate and revoke them, and
// answers of the upstream are lost, cut and late meanwhile; and the gateways are killed at
// points that a seed draws: a call of the upstream before it is done, when it is done,
// when it was answered, and an RPC on its way in or just answered.
//
// At the end the keys of the sandbox are held against the ledger, and against what the
// tenants know. The package shares no code with the gateway, except the generated clients.
//
//	point.go      where a gateway is killed, and how points are drawn
//	trap.go       notices that a call has come to its point
//	upstream.go   the sandbox behind a door for each gateway, and its bad weather
//	journal.go    every key that was ever made
//	house.go      gateways, their ledger, their configuration
//	tenant.go     who asks for leases, and what they know of them
//	steps.go      what tenants do
//	calls.go      their calls, made again as docs/leases.md says
//	play.go       a whole play: work, kills, quiet, and the end of everything
//	export.go     the ledger, as the tool of the gateway writes it
//	check.go      what has to hold in the end
//	ends.go       when each key has to end
//	secrets.go    what must not be in a file
package leases
