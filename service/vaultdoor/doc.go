// Package vaultdoor is the door with the paths and the JSON of Vault's HTTP API, for the
// clients, agents and operators that speak it. A request becomes one call of the server;
// the answer has Vault's envelope.
//
//	door.go        a request becomes a call
//	routes.go      which path is which call
//	exchange.go    one request and its answer
//	parameters.go  what a request says, in its query or its body
//	reply.go       Vault's envelopes
//	errors.go      Vault's errors
//	leases.go      creds, sys/leases
//	static.go      static-creds, rotate-role
//	login.go       auth/*/login, auth/token
//	system.go      sys/health, sys/seal-status, sys/internal/ui/mounts
//
// It imports the catalog, for the methods, and the messages of leases and sessions. It
// holds no policy. docs/vault.md is its reference.
package vaultdoor
