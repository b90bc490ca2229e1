// Package data is the organization behind the sandbox: its types, the store that
// holds them, the ledger of what was used and what it cost, and how all of it is
// drawn from a seed.
//
// It knows no request: nothing here decides what a caller may do or which answer
// it gets. Where an answer of the API shows a thing as it is stored, the type has
// the JSON tags. Package sandbox is the only caller, and holds a lock around every
// use. The package imports the standard library alone.
package data
