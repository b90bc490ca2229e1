// Package callers reads the policy file: the callers, their credentials, their
// grants and denies, and their limits. The file is compiled into one immutable
// [Set], and a [Source] swaps it whole when the file changes.
//
// It imports authn and authz, which it compiles for, and internal/strictyaml. Package
// admission asks the Source for the Set in force.
package callers
