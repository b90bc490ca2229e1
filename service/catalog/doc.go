// Package catalog compiles the declarations in the .proto files into one
// immutable [Method] for each RPC: its source, its permission, the life of its
// answers, its invalidations, and its budget.
//
// It imports the upstream's client, for paths and codecs, and authz, for handles
// of permissions. Every step of the pipeline reads its methods; it calls none of
// them. docs/architecture.md, "The declaration", has the rules.
package catalog
