//go:build race

package racing

// Enabled says whether the race detector is on.
const Enabled = true
