package build

import (
	"errors"
	"slices"
	"testing"
)

// recorded is a component that records when it is closed.
type recorded struct {
	name   string
	closed *[]string
}

// Close records the name.
func (r recorded) Close() { *r.closed = append(*r.closed, r.name) }

// failing is a component that fails to close.
type failing struct {
	recorded

	err error
}

// Close records the name, and fails.
func (f failing) Close() error {
	f.recorded.Close()
	return f.err
}

// TestClosersReverse: the last component is closed first, each of them once, and
// an error stops nothing. Only the error of a writer is reported.
func TestClosersReverse(t *testing.T) {
	t.Parallel()
	var closed []string
	lost, gone := errors.New("records are lost"), errors.New("connection is gone")
	var c closers
	c.add(recorded{"a", &closed})
	c.addWriter(failing{recorded{"b", &closed}, lost})
	c.addConnection(failing{recorded{"c", &closed}, gone})
	c.add(recorded{"d", &closed})
	if err := c.Close(); !errors.Is(err, lost) || errors.Is(err, gone) {
		t.Errorf("closed with %v", err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("closed again with %v", err)
	}
	if want := []string{"d", "c", "b", "a"}; !slices.Equal(closed, want) {
		t.Errorf("closed %q, want %q", closed, want)
	}
}
