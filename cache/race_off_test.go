//go:build !race

package cache

// boundKeys is the number of keys for a memory that has no room for all of them.
const boundKeys = 1_000_000
