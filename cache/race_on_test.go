//go:build race

package cache

// boundKeys is less with the race detector, which takes half a minute for more.
const boundKeys = 100_000
