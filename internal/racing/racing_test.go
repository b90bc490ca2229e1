package racing_test

import (
	"slices"
	"testing"

	"github.com/admin-gateway/admin-gateway/internal/racing"
)

// TestSome: all of it without the race detector, and a few in their order with it.
func TestSome(t *testing.T) {
	t.Parallel()
	things := []int{1, 2, 3, 4, 5, 6, 7, 8}
	some := racing.Some(things, 3)
	if len(some) != racing.Of(8, 3) || !slices.IsSorted(some) || len(slices.Compact(slices.Clone(some))) != len(some) {
		t.Errorf("some of %v are %v", things, some)
	}
	if few := racing.Some(things[:2], 3); len(few) != 2 {
		t.Errorf("some of two are %v", few)
	}
	if racing.Spares(1) {
		t.Error("one in one is spared")
	}
}
