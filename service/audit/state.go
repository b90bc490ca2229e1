package audit

import (
	"errors"
	"sync/atomic"
	"time"
)

// errHangs is the cause while an attempt to write takes longer than it may.
var errHangs = errors.New("it does not return from a write")

// state is what others may know of the writer: whether its sink takes records.
type state struct {
	last  atomic.Pointer[error] // The error of the last attempt; nil when it was written.
	since atomic.Int64          // When the attempt began that is under way; 0 without one.
}

func (s *state) begin() { s.since.Store(time.Now().UnixNano()) }

func (s *state) end() { s.since.Store(0) }

func (s *state) set(err error) {
	if err == nil {
		s.last.Store(nil)
		return
	}
	s.last.Store(&err)
}

// failing is why the sink does not take records; an attempt may take as long as
// patience, once to open and once to write.
func (s *state) failing(patience time.Duration) error {
	if since := s.since.Load(); since != 0 && time.Since(time.Unix(0, since)) > 2*patience {
		return errHangs
	}
	if err := s.last.Load(); err != nil {
		return *err
	}
	return nil
}
