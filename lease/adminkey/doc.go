// Package adminkey replaces the admin key of the gateway by another one: it makes the
// key, compares it with the one in use, has every replica write it into its file, waits
// until nobody uses the old one, and deletes that.
//
// How far it has come is in the ledger before the next step is made, so that whichever
// replica is there goes on with it. A second key is never asked for: where an answer was
// lost, the key is found by its name, deleted, and the rotation has failed.
//
// It imports lease and lease/marker. What it asks of the upstream, and of the file of the
// key, are interfaces.
package adminkey
