//go:build !race

package cache

// boundKeys is how many distinct keys a memory is offered that has not the room.
const boundKeys = 1_000_000
