// Package bounds fills the defaults of numeric options in and holds them to their
// bounds.
package bounds

import (
	"cmp"
	"time"
)

// Day is the upper bound of most durations.
const Day = 24 * time.Hour

// Settle replaces a value that is zero or less by its default, and one that is
// larger than most by most.
func Settle[T cmp.Ordered](value *T, standard, most T) {
	var zero T
	if *value <= zero {
		*value = standard
	}
	*value = min(*value, most)
}
