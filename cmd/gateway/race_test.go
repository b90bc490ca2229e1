//go:build race

package main

// raceHeap is what the race detector adds to the heap of a busy gateway.
const raceHeap = 32 << 20

// raceSpares is how many calls of a neighbour an attack is spared.
const raceSpares = 5
