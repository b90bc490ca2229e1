// Package seal encrypts what leaves the process for a store that must not read
// it. It owns the cipher, the form of sealed bytes and the exchange of keys. It
// imports the standard library alone; cache, cache/outcome, internal/fleet and the ledgers of leases
// call it, each with associated bytes that the others never use.
package seal
