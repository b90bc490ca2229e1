// Package racing says whether the race detector is on, which makes everything five to ten
// times slower. Tests that do one thing very often, for what they find out and not for what
// happens at once, do it less often then. It is for tests alone.
package racing

import (
	"flag"
	"math/rand/v2"
	"slices"
)

// Of is all of something, or few of it with the race detector.
func Of[T any](all, few T) T {
	if Enabled {
		return few
	}
	return all
}

// Some are all of the things, or a few of them with the race detector, in their order: in
// each run others, so that each has its turn.
func Some[T any](things []T, few int) []T {
	if !Enabled || len(things) <= few {
		return things
	}
	chosen := rand.Perm(len(things))[:few] //nolint:gosec // It is for tests.
	slices.Sort(chosen)
	some := make([]T, few)
	for i, at := range chosen {
		some[i] = things[at]
	}
	return some
}

// Spares says that a sweep leaves one thing out: none, or with the race detector all but
// about one in every. In each run others.
func Spares(every int) bool { return Enabled && rand.IntN(every) > 0 } //nolint:gosec // It is for tests.

// Checks makes the properties of pgregory.net/rapid be checked a quarter as often with the
// race detector. It is for a TestMain, before the command line, which may want another
// number. Each run has a seed of its own.
func Checks() error { return flag.Set("rapid.checks", Of("100", "25")) }
