// Package restdoor is the door with the Admin API's own paths and JSON, for the
// vendor's SDKs. A request becomes one call of the server; the answer is the
// upstream's.
//
// It imports the catalog, for the paths, and pipeline, for the form of an answer.
// docs/rest.md is its reference.
package restdoor
