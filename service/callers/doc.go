// Package callers reads the policy file: the callers, their credentials, their
// grants and denies, and their limits. The file is compiled into one immutable
// [Set], and a [Source] swaps it whole when the file changes.
package callers
