package inventory

import (
	"testing"
)

// TestWhatIsHeldRemains: while the list ahead has not been read, all that a stream
// began with is left, even where nothing of it is queued: a token can lie behind the
// last of the projects that a caller still has.
func TestWhatIsHeldRemains(t *testing.T) {
	t.Parallel()
	s := newScheduler(&query{plan: &plan{}})
	s.held, s.began = true, []position{{cursor: "proj_z"}}
	if err := s.enqueue(s.began, []string{"proj_a", "proj_b"}, true); err != nil || len(s.queue) > 0 {
		t.Fatalf("%v queued, %v", s.queue, err)
	}
	if left, _ := s.remaining(); len(left) != 1 || left[0].cursor != "proj_z" {
		t.Errorf("%v is left", left)
	}
	s.held = false
	if left, _ := s.remaining(); len(left) > 0 {
		t.Errorf("%v is left of nothing", left)
	}
}
