//go:build !race

package main

const raceHeap = 0

// raceSpares is how many calls of a neighbour an attack is spared.
const raceSpares = 0
