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

// TestScenarios plays every scenario.
func TestScenarios(t *testing.T) {
	t.Parallel()
	for _, s := range Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), scenarioLimit)
			defer cancel()
			s.Log = t.Logf
			err := s.Play(ctx, programs(t), shortFolder(t))
			if violation, violated := errors.AsType[*ViolationError](err); violated {
				report(t, violation)
				t.Errorf("%s: %v", s.About, violation)
			} else if err != nil {
				t.Fatal(err)
			}
		})
	}
}
