package audit

import (
	"bytes"
	"errors"
	"os"
	"time"
)

const (
	// batchBytes is how much text of offered records is written at a time, and how much
	// of it need not linger any longer.
	batchBytes = 64 << 10
	// pipeBytes is how much a pipe takes whole or not at all, however many processes
	// write to it: PIPE_BUF of Linux.
	pipeBytes = 4096
)

// mostOf is how much one write to a stream may have. Only a file takes any number of
// bytes without others in between, and a connection has no other writers.
func mostOf(out stream, remote bool) int {
	if file, ok := out.(interface{ Stat() (os.FileInfo, error) }); ok {
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
			return batchBytes
		}
	}
	if remote {
		return batchBytes
	}
	return pipeBytes
}

// write writes records by deadline, in as few writes as the stream takes. It returns
// how many are done with. The last of these may be written only in part: then its rest
// goes out before anything else, in spite of the error. That the deadline passes is not
// an error once a record is written: a stream that is slow takes records.
func (s *sink) write(batch []*entry, deadline time.Time) (taken int, err error) {
	if err := s.finish(deadline); err != nil {
		return 0, err
	}
	from := 0 // Where the text of the next record goes on.
	for taken < len(batch) {
		n, err := s.put(s.piece(batch[taken:], from))
		for from += n; taken < len(batch) && from >= len(batch[taken].text); taken++ {
			from -= len(batch[taken].text)
			s.count(batch[taken].mark, batch[taken].result == nil)
		}
		if err != nil {
			return s.cutOff(batch, taken, from, err)
		}
	}
	s.err = nil
	return taken, nil
}

// cutOff notes what a failed write has left of a record.
func (s *sink) cutOff(batch []*entry, written, from int, err error) (taken int, _ error) {
	if taken = written; from > 0 {
		e := batch[written]
		s.rest, s.restLine, s.restOffered, s.restMark = bytes.Clone(e.text[from:]), true, e.result == nil, e.mark
		if s.remote {
			s.whole = bytes.Clone(e.text)
		}
		taken++
	}
	if written > 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	s.err = err
	return taken, err
}

// piece is the text for one write: as many whole lines as it may have, or one that is
// longer. The first record goes on where it was left.
func (s *sink) piece(batch []*entry, from int) []byte {
	if text := batch[0].text[from:]; len(batch) == 1 && len(text) <= s.most {
		return text
	}
	s.pieces = s.pieces[:0]
	for _, e := range batch {
		text := e.text[from:]
		from = 0
		if len(s.pieces)+len(text) <= s.most {
			s.pieces = append(s.pieces, text...)
			continue
		}
		for len(text) > 0 {
			line := text[:bytes.IndexByte(text, '\n')+1]
			if len(s.pieces) > 0 && len(s.pieces)+len(line) > s.most {
				break
			}
			s.pieces, text = append(s.pieces, line...), text[len(line):]
		}
		break
	}
	return s.pieces
}
