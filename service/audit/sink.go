package audit

import (
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

// opener opens a path within a time, and returns whether it ends in the middle of a
// line.
type opener func(path string, create bool, patience time.Duration) (s stream, torn bool, err error)

// sink puts whole lines on a stream, in their order. It is not safe for
// concurrent use.
type sink struct {
	path string
	// open opens the path. It returns whether the file ends in the middle of a
	// line. Nil when the stream was given and cannot be opened again.
	open    opener
	retry   time.Duration // Between two attempts to open by itself.
	timeout time.Duration // Of one of them.
	// remote says that a stream is a connection: what one has of a line, the next does
	// not have, and one that fails is tried ever less often.
	remote  bool
	failing int // Attempts to open that failed, one after the other.

	out    stream // Nil while the sink is not open.
	err    error  // Of the last attempt.
	opened time.Time
	// rest has to go out before anything else, so that every line stays whole:
	// the remainder of a line that was cut off, or the end of one that was torn
	// before the sink was opened.
	rest        []byte
	whole       []byte // The record that the rest belongs to, of a connection.
	restLine    bool   // The rest makes a line complete.
	restOffered bool   // No Write has reported it as failed.
	restMark    bool   // It is no record of a call.

	most   int    // Bytes that one write may have.
	pieces []byte // The memory of such a write.

	// durable says that a record counts once it is on the disk.
	durable  bool
	unsynced unsynced
	lostBy   error // Why the last of the lost records was.

	written, lost *atomic.Uint64
}

// openFirst opens the path, and makes the file that is missing.
func (s *sink) openFirst() error {
	s.err = s.replace(true)
	return s.err
}

// finish makes the stream ready for a line, by deadline: open, and with no line
// begun.
func (s *sink) finish(deadline time.Time) error {
	if c, ok := s.out.(interface{ check() error }); ok && s.err == nil {
		s.err = c.check()
	}
	s.recover()
	if s.out == nil || s.remote && s.err != nil {
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
		s.count(s.restMark, s.restOffered)
	}
	s.rest, s.whole = nil, nil
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
	if s.open == nil || s.err == nil || time.Since(s.opened) < s.wait() {
		return
	}
	if err := s.replace(false); s.out == nil {
		s.err = err
	}
}

// wait is how long after an attempt to open the next one is made.
func (s *sink) wait() time.Duration {
	const most = 4 // Of doublings: 16 s.
	if !s.remote {
		return s.retry
	}
	return s.retry << min(s.failing, most)
}

// complete gives a line that was cut off its last chance on this stream.
func (s *sink) complete(deadline time.Time) {
	if s.out != nil && s.rest != nil {
		_ = s.finish(deadline)
	}
}

// reopen opens the path anew on request.
func (s *sink) reopen() error {
	err := s.replace(true)
	if s.out == nil {
		s.err = err
	}
	return err
}

// replace opens the path, and then closes the old stream, whose records it syncs
// before: no later sync is theirs. When it fails, the old stream stays.
func (s *sink) replace(create bool) error {
	s.opened = time.Now()
	out, torn, err := s.open(s.path, create, s.timeout)
	if err != nil {
		s.failing++
		return err
	}
	s.failing = 0
	if s.whole != nil {
		s.rest, s.whole = s.whole, nil // The next connection has nothing of it.
	} else if s.out == nil || !same(s.out, out) {
		s.forget(s.err)
		if torn {
			s.rest, s.restLine = []byte{'\n'}, false
		}
	}
	_ = s.flush() // It counts what is lost.
	s.close()
	s.use(out)
	s.err = nil
	return nil
}

// use takes a stream into use.
func (s *sink) use(out stream) { s.out, s.most = out, mostOf(out, s.remote) }

// forget gives up the rest.
func (s *sink) forget(cause error) {
	if s.rest != nil && s.restLine && s.restOffered && !s.restMark {
		s.lose(1, cause)
	}
	s.rest, s.whole = nil, nil
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
