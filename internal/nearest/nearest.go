// Package nearest finds the names that somebody may have meant who wrote another one. It
// knows nothing of what the names are of.
package nearest

import (
	"slices"
	"strconv"
	"strings"
)

const (
	// longest is the longest name, in bytes, that is looked at: nobody mistypes more, and
	// the work for one name is bounded.
	longest = 200
	// farthest is how many edits a name may be away; a short one fewer.
	farthest = 3
	// most is how many names are found.
	most = 3
)

// Names are those of known that are nearest to a name, in their order: at most three, and
// none that is more than three edits away, or more than a quarter of the name's length (a
// short name may be one away). An edit
// inserts, removes or replaces a character, or swaps two that are neighbours. Upper and
// lower case are the same. Names beyond 200 bytes are near to nothing.
func Names(name string, known []string) []string {
	if len(name) > longest {
		return nil
	}
	written := []rune(strings.ToLower(name))
	limit := min(farthest, max(1, len(written)/4))
	var names []string
	for _, other := range known {
		if len(other) > longest || slices.Contains(names, other) {
			continue
		}
		d := distance(written, []rune(strings.ToLower(other)), limit)
		if d < limit {
			names, limit = names[:0], d
		}
		if d == limit && len(names) < most {
			names = append(names, other)
		}
	}
	return names
}

// Hint is the end of an error about a name: `; did you mean "serve" or "server"?`, and ""
// where no name is near.
func Hint(name string, known []string) string { return Question(Names(name, known)) }

// Question is that end for names that were found otherwise.
func Question(names []string) string {
	if len(names) == 0 {
		return ""
	}
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = strconv.Quote(name)
	}
	text := strings.Join(quoted[:len(quoted)-1], ", ")
	if text != "" {
		text += " or "
	}
	return "; did you mean " + text + quoted[len(quoted)-1] + "?"
}

// distance is the distance of Damerau and Levenshtein where no part is edited twice
// (optimal string alignment), or more than limit as soon as it cannot be less.
func distance(a, b []rune, limit int) int {
	if diff := len(a) - len(b); diff > limit || -diff > limit {
		return limit + 1
	}
	// The rows of the table for the prefix of a before the last one, for the last one,
	// and for this one.
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
			least = min(least, row[j])
		}
		// The rows behind have no less: a swap looks two rows back, which has at least one
		// less than this one, and costs one.
		if least > limit {
			return limit + 1
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
