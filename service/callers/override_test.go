package callers

import "testing"

// TestOverrideOutlivesAReload: a reload changes the policy's limits beneath those that an
// operator gave, and they are the caller's again afterwards.
func TestOverrideOutlivesAReload(t *testing.T) {
	t.Parallel()
	set := func(concurrent, leases int) *Set {
		s := newSet()
		s.add("ann", Limits{RequestsPerSecond: 1, Burst: 1, Concurrent: concurrent, Streams: 1}, LeaseLimits{MaxLive: leases, MintsPerHour: 7})
		return s
	}
	before, after := set(1, 1), set(2, 3)
	before.begin(nil)
	limiter := before.Limiter("ann")
	limiter.Override(&Override{Burst: new(int32(50)), Concurrent: new(int32(40)), MaxLiveLeases: new(int32(0))})
	want := func(when string, s *Set, concurrent, streams, burst int, leases LeaseLimits) {
		t.Helper()
		if l := s.Limiter("ann"); l.most != [kinds]int{Single: concurrent, Stream: streams} || l.rate.Burst() != burst || l.rate.Limit() != 1 {
			t.Errorf("%s: %v at a time, %d at once, %v a second", when, l.most, l.rate.Burst(), l.rate.Limit())
		}
		if got := s.LeaseLimitsInForce("ann"); got != leases {
			t.Errorf("%s: %+v for leases, want %+v", when, got, leases)
		}
	}
	want("with an override", before, 40, 1, 50, LeaseLimits{MaxLive: 0, MintsPerHour: 7})
	after.begin(before)
	want("after a reload", after, 40, 1, 50, LeaseLimits{MaxLive: 0, MintsPerHour: 7})
	limiter.Override(nil)
	want("without it", after, 2, 1, 1, LeaseLimits{MaxLive: 3, MintsPerHour: 7})
	if got := after.LeaseLimitsInForce("nobody"); got != (LeaseLimits{}) {
		t.Errorf("nobody may have %+v", got)
	}
}

// TestLimitersOfTwoPolicies: calls that began under one policy count with those under the
// next, whose limits hold for both; a caller that a policy leaves out has no limiter any
// more, and a fresh one when it is back.
func TestLimitersOfTwoPolicies(t *testing.T) {
	t.Parallel()
	set := func(before *Set, concurrent int, names ...string) *Set {
		s := newSet()
		for _, name := range names {
			s.add(name, Limits{RequestsPerSecond: 1, Burst: 9, Concurrent: concurrent, Streams: 1}, LeaseLimits{})
		}
		s.begin(before)
		return s
	}
	first := set(nil, 1, "ann", "bob")
	bob := first.Limiter("bob")
	second := set(first, 2, "ann", "bob")
	if after, late := second.Limiter("ann"), first.Limiter("ann"); after != late || after.most[Single] != 2 {
		t.Errorf("%p and %p, %d at a time", after, late, after.most[Single])
	}
	if second.Limiter("bob") != bob || bob.most[Single] != 2 {
		t.Errorf("another limiter after a reload, or %d at a time", bob.most[Single])
	}
	third := set(second, 3, "ann")
	if third.Has("bob") || third.Limiter("bob") != nil || len(third.limiters.byName) != 1 {
		t.Errorf("bob is there: %d limiters", len(third.limiters.byName))
	}
	if fourth := set(third, 3, "ann", "bob"); fourth.Limiter("bob") == bob || fourth.Limiter("ann") != second.Limiter("ann") {
		t.Error("bob has the old limiter, or ann a new one")
	}
}
