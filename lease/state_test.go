package lease

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// design is the design's list of what follows what, by name, and the one addition that
// docs/ledger.md gives a reason for.
var design = map[string][]string{
	"INTENT":   {"ISSUED", "DOUBTFUL", "ABORTED"},
	"ISSUED":   {"ACTIVE", "EXPIRED", "REVOKING"},
	"ACTIVE":   {"EXPIRED", "REVOKING"},
	"REVOKING": {"REVOKED"},
	"DOUBTFUL": {"REVOKING", "ABORTED"},
	"ORPHAN":   {"REVOKING"},
	"EXPIRED":  {},
	"REVOKED":  {},
	"ABORTED":  {},
}

func TestTransitionsAreTheDesigns(t *testing.T) {
	t.Parallel()
	if len(design) != len(States()) {
		t.Fatalf("%d states, want %d", len(States()), len(design))
	}
	for _, from := range States() {
		follows, ok := design[from.String()]
		if !ok || from.Final() != (len(follows) == 0) || from.Live() == from.Final() {
			t.Errorf("%v: in the design %v, final %v, live %v", from, ok, from.Final(), from.Live())
		}
		for _, to := range States() {
			want := slices.Contains(follows, to.String()) || from == to && len(follows) > 0
			if from.May(to) != want || slices.Contains(to.From(), from) != want {
				t.Errorf("%v → %v: %v, want %v", from, to, from.May(to), want)
			}
		}
		if parsed, ok := ParseState(from.String()); !ok || parsed != from {
			t.Errorf("%v is read as %v", from, parsed)
		}
	}
	for _, s := range []State{0, State(len(stateNames)), 255} {
		if s.Valid() || s.Live() || s.Final() || s.May(s) || s.String() != "UNKNOWN" || len(s.From()) > 0 {
			t.Errorf("%d passes for a state", s)
		}
	}
}

// TestEveryLeaseEnds: whatever is tried with a lease, only what the design has happens
// to it; an end stays; a key that exists is not said to be over before its time; and
// from wherever it is, it can come to an end.
func TestEveryLeaseEnds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		begin := time.UnixMilli(1_800_000_000_000).UTC()
		r := Record{State: rapid.SampledFrom([]State{Intent, Orphan}).Draw(t, "initial"), UpstreamExpires: begin.Add(time.Hour)}
		at := begin
		for range rapid.IntRange(0, 12).Draw(t, "steps") {
			at = at.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "minutes")) * time.Minute)
			r = try(t, r, rapid.SampledFrom(States()).Draw(t, "next"), at)
		}
		for range States() {
			if r.State.Final() {
				return
			}
			at = at.Add(time.Hour)
			for _, next := range States() {
				if next != r.State && r.State.May(next) {
					r = try(t, r, next, at)
					break
				}
			}
		}
		if !r.State.Final() {
			t.Fatalf("there is no way to an end from %v", r.State)
		}
	})
}

func try(t *rapid.T, r Record, next State, at time.Time) Record {
	r.SecretUntil, r.Attempts = at.Add(time.Minute), 3
	moved, err := Move(r, next, at, "because")
	early := at.Before(r.UpstreamExpires) && (next == Expired || next == Aborted && r.State == Doubtful)
	allowed := slices.Contains(design[r.State.String()], next.String()) && !early
	if (err == nil) != allowed || err != nil && !errors.Is(err, ErrTransition) {
		t.Fatalf("%v → %v at %v: %v, want allowed: %v", r.State, next, at, err, allowed)
	}
	if err != nil {
		return r
	}
	ended := next.Final()
	if moved.State != next || moved.Cause != "because" || moved.Ended.IsZero() == ended ||
		moved.SecretUntil.IsZero() != ended || moved.ForgetAt.IsZero() == ended || moved.Attempts != 0 {
		t.Fatalf("%v → %v: %+v", r.State, next, moved)
	}
	if !ended && len(moved.Dues()) < 2 || ended && moved.Dues()[0].Kind != DueForget {
		t.Fatalf("%v: due is %v", next, moved.Dues())
	}
	return moved
}
