// Package catalog compiles the declarations in the .proto files into one
// immutable [Method] for each RPC: where its answer comes from, who may call it,
// how long an answer may live, what it makes stale, and which budget it spends.
//
// It imports the upstream's client, for paths and codecs, and authz, for handles
// of permissions. Every step of the pipeline goes by its methods; it calls none of
// them. docs/architecture.md, "The declaration", has the rules.
package catalog
