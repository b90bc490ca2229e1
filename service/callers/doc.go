// Package callers reads the policy file: who may call, how each of them shows
// who it is, what it may do, and how much of it. What is read is compiled into
// one immutable [Set], and a [Source] swaps it whole when the file changes.
package callers
