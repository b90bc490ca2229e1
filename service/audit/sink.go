package audit

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync/atomic"
	"time"
)

// stream is a descriptor as a sink sees it.
type stream interface {
	io.Writer
	// SetWriteDeadline fails where there are no deadlines, as for a file.
	SetWriteDeadline(deadline time.Time) error
	Close() error
}

// sink puts whole lines on a stream, one after the other. It is not safe for
// concurrent use.
type sink struct {
	path string
	// open opens the path. It returns whether the file ends in the middle of a
	// line. Nil when the stream was given and cannot be opened again.
	open  func(path string, create bool) (s stream, torn bool, err error)
	retry time.Duration // Between two attempts to open by itself.

	out    stream // Nil while the sink is not open.
	err    error  // Of the last attempt.
	opened time.Time
	// rest has to go out before anything else, so that every line stays whole:
	// the remainder of a line that was cut off, or the end of one that was torn
	// before the sink was opened.
	rest        []byte
	restLine    bool // The rest makes a line complete.
	restOffered bool // No Write has reported it as failed.

	written, failed *atomic.Uint64
}

// openFirst opens the path, and makes the file that is missing.
func (s *sink) openFirst() error {
	s.err = s.replace(true)
	return s.err
}

// write writes a line by deadline. If the line could be written only in part, it is taken
// in spite of the error: it goes on before the next.
func (s *sink) write(e *entry, deadline time.Time) (taken bool, err error) {
	if err := s.finish(deadline); err != nil {
		return false, err
	}
	n, err := s.put(e.line)
	s.err = err
	switch {
	case err == nil:
		s.written.Add(1)
	case n > 0:
		s.rest = bytes.Clone(e.line[n:])
		s.restLine, s.restOffered = true, e.result == nil
	}
	return n > 0, err
}

// finish makes the stream ready for a line, by deadline: open, and with no line
// begun.
func (s *sink) finish(deadline time.Time) error {
	s.recover()
	if s.out == nil {
		return s.err
	}
	if err := s.out.SetWriteDeadline(deadline); err != nil && !errors.Is(err, os.ErrNoDeadline) {
		s.err = err
		return err
	}
	if s.rest == nil {
		return nil
	}
	n, err := s.put(s.rest)
	s.rest, s.err = s.rest[n:], err
	if err != nil {
		return err
	}
	if s.restLine {
		s.written.Add(1)
	}
	s.rest = nil
	return nil
}

func (s *sink) put(p []byte) (int, error) {
	n, err := s.out.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return min(max(n, 0), len(p)), err
}

// recover opens the path anew after a failure: the path may lead to another
// FIFO than the one that was opened, or a file whose descriptor went stale. It
// makes no file, which could stand where a FIFO is about to be.
func (s *sink) recover() {
	if s.open == nil || s.err == nil || time.Since(s.opened) < s.retry {
		return
	}
	if err := s.replace(false); s.out == nil {
		s.err = err
	}
}

// reopen opens the path anew on request.
func (s *sink) reopen(deadline time.Time) error {
	if s.out != nil && s.rest != nil {
		// The last chance of the line that was cut off.
		_ = s.finish(deadline)
	}
	err := s.replace(true)
	if s.out == nil {
		s.err = err
	}
	return err
}

// replace opens the path, and then closes the old stream. When it fails, the
// old stream stays.
func (s *sink) replace(create bool) error {
	s.opened = time.Now()
	out, torn, err := s.open(s.path, create)
	if err != nil {
		return err
	}
	if s.out == nil || !same(s.out, out) {
		s.forget()
		if torn {
			s.rest, s.restLine = []byte{'\n'}, false
		}
	}
	s.close()
	s.out, s.err = out, nil
	return nil
}

// forget gives up the rest, and returns whether a line was lost with it that
// was not counted yet.
func (s *sink) forget() bool {
	lost := s.rest != nil && s.restLine && s.restOffered
	if lost {
		s.failed.Add(1)
	}
	s.rest = nil
	return lost
}

func (s *sink) close() {
	if s.out != nil {
		_ = s.out.Close()
		s.out = nil
	}
}

// same tells whether two streams are one file.
func same(a, b stream) bool {
	type statter interface{ Stat() (os.FileInfo, error) }
	x, okX := a.(statter)
	y, okY := b.(statter)
	if !okX || !okY {
		return false
	}
	infoX, errX := x.Stat()
	infoY, errY := y.Stat()
	return errX == nil && errY == nil && os.SameFile(infoX, infoY)
}
