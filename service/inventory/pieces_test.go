package inventory

import (
	"slices"
	"testing"
)

// TestPositionsOfPieces: the position of a piece in the list of pieces is behind the one
// before, and that of the first is the beginning of the list.
func TestPositionsOfPieces(t *testing.T) {
	t.Parallel()
	s := &scheduler{query: &query{pieces: &pieces{cuts: []cuts{{pieces: 2}, {pieces: 1}}}}}
	var got []string
	for n := range 4 {
		got = append(got, s.page(n).cursor)
	}
	if want := []string{"", "00.000000", "00.000001", "01.000000"}; !slices.Equal(got, want) {
		t.Errorf("the cursors are %q, want %q", got, want)
	}
	for _, place := range []int{-1, 3} {
		if key, ok := s.pieces.key(place); key != "" || ok {
			t.Errorf("the piece at %d is %q", place, key)
		}
	}
}
