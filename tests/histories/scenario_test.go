//go:build unix

package histories

import (
	"context"
	"errors"
	"testing"
	"time"
)

// scenarioLimit is for a scenario that hangs.
const scenarioLimit = 5 * time.Minute

// TestScenarios plays every scenario. [KnownViolations] has to name exactly those that
// fail.
func TestScenarios(t *testing.T) {
	t.Parallel()
	known := KnownViolations()
	for _, s := range Scenarios() {
		reason, expected := known[s.Name]
		delete(known, s.Name)
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), scenarioLimit)
			defer cancel()
			s.Log = t.Logf
			err := s.Play(ctx, programs(t), shortFolder(t))
			violation, violated := errors.AsType[*ViolationError](err)
			switch {
			case err != nil && !violated:
				t.Fatal(err)
			case violated:
				report(t, violation)
				if !expected {
					t.Errorf("%s: %v", s.About, violation)
				} else {
					t.Logf("known violation (%s): %v", reason, violation)
				}
			case expected:
				t.Errorf("it holds now: remove it from KnownViolations, where it says %q", reason)
			}
		})
	}
	for name := range known {
		t.Errorf("KnownViolations names %s, which is no scenario", name)
	}
}
