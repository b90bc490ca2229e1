// Package racing says whether the race detector is on, which makes everything five to ten
// times slower. Tests that do one thing very often, for what they find out and not for what
// happens at once, do it less often then. It is for tests alone.
package racing

// Of is all of something, or few of it with the race detector.
func Of(all, few int) int {
	if Enabled {
		return few
	}
	return all
}
