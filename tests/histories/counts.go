package histories

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// bucketOf is the endpoint of a call: its verb and path, where an id is a star. The
// tester's ids have a hyphen, and no other segment of a path has one.
func bucketOf(call Call) string {
	segments := strings.Split(call.Path, "/")
	for i, segment := range segments {
		if strings.Contains(segment, "-") {
			segments[i] = "*"
		}
	}
	return call.Method + " " + strings.Join(segments, "/")
}

// Busiest returns the most calls that came to each endpoint in any minute.
func (u *Upstream) Busiest() map[string]int {
	u.mu.Lock()
	defer u.mu.Unlock()
	most := make(map[string]int, len(u.calls))
	for bucket, calls := range u.calls {
		most[bucket] = busiest(calls)
	}
	return most
}

// BusiestOfAll returns the most calls that came in any minute.
func (u *Upstream) BusiestOfAll() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := slices.Concat(slices.Collect(maps.Values(u.calls))...)
	slices.Sort(all)
	return busiest(all)
}

// busiest is the largest number of calls, which are in order, within a minute.
func busiest(calls []time.Duration) int {
	most, first := 0, 0
	for i, call := range calls {
		for call-calls[first] >= time.Minute {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}
