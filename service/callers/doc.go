// Package callers reads the policy file: the callers, their credentials, their
// grants and denies, their limits, and the roles of leases. The file is compiled into one immutable
// [Set], and a [Source] swaps it whole when the file changes.
//
// It imports authn, authz and roles, which it compiles for, and internal/strictyaml. Package
// admission asks the Source for the Set in force.
package callers
