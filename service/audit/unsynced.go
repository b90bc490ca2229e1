package audit

import "errors"

// unsynced counts what was written, and is not known to be on the disk.
type unsynced struct {
	records int // With those of the log's own.
	calls   int // Records of calls.
	offered int // Those of them that no Write answers for.
}

// count counts a record that the kernel has: as written, unless it has to be on the
// disk for that.
func (s *sink) count(mark, offered bool) {
	calls := 1
	if mark {
		calls = 0
	}
	if !s.durable {
		s.written.Add(uint64(calls))
		return
	}
	s.unsynced.records++
	s.unsynced.calls += calls
	if offered {
		s.unsynced.offered += calls
	}
}

// flush waits until all that was counted as unsynced is on the disk, and counts it as
// written. When that fails, the records that were offered are lost; those of Writes
// fail with them.
func (s *sink) flush() error {
	held := s.unsynced
	if held.records == 0 {
		return nil
	}
	s.unsynced = unsynced{}
	if err := s.sync(); err != nil {
		s.lose(held.offered, err)
		return err
	}
	s.written.Add(uint64(held.calls))
	return nil
}

// sync waits until all that was written is on the disk.
func (s *sink) sync() error {
	if s.out == nil {
		return s.err
	}
	file, ok := s.out.(interface{ Sync() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return file.Sync()
}

// lose counts offered records that were accepted, and are lost.
func (s *sink) lose(n int, cause error) {
	if n > 0 {
		s.lost.Add(uint64(n))
		s.lostBy = cause
	}
}
