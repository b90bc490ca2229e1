//go:build !race

package main

const raceHeap = 0
