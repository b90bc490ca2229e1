package admission

import (
	"testing"
	"time"
)

// TestParseCacheControl: no-cache wins, then the least max-age; only-if-cached goes with
// either. All other directives, and values that are malformed, ask for nothing.
func TestParseCacheControl(t *testing.T) {
	t.Parallel()
	aged := func(d time.Duration) Freshness { return Freshness{Limited: true, MaxAge: d} }
	for _, test := range []struct {
		lines []string
		want  Freshness
	}{
		{nil, Freshness{}},
		{[]string{""}, Freshness{}},
		{[]string{"no-cache"}, aged(0)},
		{[]string{"No-Cache"}, aged(0)},
		{[]string{"max-age=0"}, aged(0)},
		{[]string{"max-age=60"}, aged(time.Minute)},
		{[]string{" MAX-AGE=60 "}, aged(time.Minute)},
		{[]string{`max-age="60"`}, aged(time.Minute)},
		{[]string{"max-age=60, max-age=5"}, aged(5 * time.Second)},
		{[]string{"max-age=5", "max-age=60"}, aged(5 * time.Second)},
		{[]string{"max-age=60, no-cache"}, aged(0)},
		{[]string{"max-age=60", "no-store, no-cache"}, aged(0)},
		{[]string{"max-age=x, max-age=7"}, aged(7 * time.Second)},
		{[]string{"max-age=2147483647"}, aged(2147483647 * time.Second)},
		{[]string{"max-age=2147483648"}, Freshness{}},
		{[]string{"max-age=-1"}, Freshness{}},
		{[]string{"max-age=1.5"}, Freshness{}},
		{[]string{"max-age"}, Freshness{}},
		{[]string{"max-age="}, Freshness{}},
		{[]string{"no-store, min-fresh=10, x-no-cache"}, Freshness{}},
		{[]string{"no-store, Only-If-Cached"}, Freshness{Stored: true}},
		{[]string{"only-if-cached", "max-age=60, max-age=5"}, Freshness{Limited: true, MaxAge: 5 * time.Second, Stored: true}},
		{[]string{"no-cache, only-if-cached"}, Freshness{Limited: true, Stored: true}},
	} {
		if got := parseCacheControl(test.lines); got != test.want {
			t.Errorf("%q: %+v, want %+v", test.lines, got, test.want)
		}
	}
}

// TestFreshnessLimits: a limit that was ignored limits nothing and reloads nothing.
func TestFreshnessLimits(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		asked          Freshness
		limits, reload bool
	}{
		{Freshness{}, false, false},
		{Freshness{Limited: true}, true, true},
		{Freshness{Limited: true, MaxAge: 1}, true, false},
		{Freshness{Limited: true, Ignored: true}, false, false},
	} {
		if test.asked.Limits() != test.limits || test.asked.Reload() != test.reload {
			t.Errorf("%+v: limits %t, reload %t", test.asked, test.asked.Limits(), test.asked.Reload())
		}
	}
}
