package callers

import "testing"

// TestOverrideOutlivesAReload: a reload changes the policy's limits beneath those that an
// operator gave, and they are the caller's again afterwards.
func TestOverrideOutlivesAReload(t *testing.T) {
	t.Parallel()
	set := func(concurrent, leases int) *Set {
		return &Set{names: []string{"ann"}, bounds: map[string]*bounds{"ann": {
			limits: Limits{RequestsPerSecond: 1, Burst: 1, Concurrent: concurrent, Streams: 1}, leases: LeaseLimits{MaxLive: leases, MintsPerHour: 7},
		}}}
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
