//go:build race

package pace

// mostCalls bounds the calls of a test of the whole budget: the race detector makes them
// slow.
const mostCalls = 1000
