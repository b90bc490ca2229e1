//go:build unix

package histories

import (
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"
)

// TestLostAnswers plays a history in which answers are lost or late, and nothing else is
// wrong.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	playMixed(t, Mixed{Seed: 1, Duration: 20 * time.Second, LostAnswers: 0.1, LateAnswers: 0.1})
}

// TestKilledReplicas kills and drains replicas, and empties Redis.
func TestKilledReplicas(t *testing.T) {
	t.Parallel()
	kinds := slices.DeleteFunc(Disturbances(), func(d Disturbance) bool {
		return !slices.Contains([]string{"killed replica", "drained replica", "emptied Redis"}, d.Name)
	})
	playMixed(t, Mixed{Seed: 2, Duration: 45 * time.Second, LostAnswers: 0.1, Kinds: kinds})
}

// TestMixed plays all disturbances for the duration of $HISTORIES (make histories).
func TestMixed(t *testing.T) {
	duration, err := time.ParseDuration(os.Getenv("HISTORIES"))
	if err != nil {
		t.Skip("takes long: make histories DURATION=1h SEED=1")
	}
	t.Parallel()
	seed, err := strconv.ParseUint(os.Getenv("HISTORIES_SEED"), 10, 64)
	if err != nil {
		seed = uint64(time.Now().UnixNano())
	}
	playMixed(t, Mixed{Seed: seed, Duration: duration, LostAnswers: 0.05, LateAnswers: 0.05, LateEffects: 0.05, Kinds: Disturbances()})
}

func playMixed(t *testing.T, m Mixed) {
	t.Helper()
	t.Logf("SEED=%d", m.Seed)
	m.Log = t.Logf
	ctx, cancel := context.WithTimeout(t.Context(), m.Duration+scenarioLimit)
	defer cancel()
	err := m.Play(ctx, programs(t), shortFolder(t))
	if violation, ok := errors.AsType[*ViolationError](err); ok {
		report(t, violation)
	}
	if err != nil {
		t.Fatalf("SEED=%d: %v", m.Seed, err)
	}
}
