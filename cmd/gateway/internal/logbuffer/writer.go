package logbuffer

import (
	"bytes"
	"context"
	"log/slog"
	"time"
)

// keptBytes is how much memory is used again, rather than given back.
const keptBytes = 64 << 10

// writer is the one goroutine that writes to the output.
type writer struct {
	buffer *Buffer
	spare  []byte // An empty piece of memory for the lines to come.
	told   uint64 // Dropped lines that a line has told of.
}

func (w *writer) run() {
	b := w.buffer
	defer close(b.done)
	linger := time.NewTimer(b.linger)
	linger.Stop()
	defer linger.Stop()
	for {
		select {
		case <-b.wake:
			if !w.due() {
				linger.Reset(b.linger)
				continue
			}
		case <-linger.C:
		case flushed := <-b.flushes:
			w.drain()
			close(flushed)
		case <-b.closing:
			w.drain()
			return
		}
		w.drain()
	}
}

func (w *writer) due() bool {
	w.buffer.mu.Lock()
	defer w.buffer.mu.Unlock()
	return w.buffer.due
}

// drain writes until nothing waits. Then it tells what was dropped meanwhile.
func (w *writer) drain() {
	for {
		lines, dropped := w.swap()
		w.write(lines)
		if w.spare = lines[:0]; cap(lines) > keptBytes {
			w.spare = nil // After a burst.
		}
		if dropped > w.told {
			w.tell(dropped)
		} else if len(lines) == 0 {
			return
		}
	}
}

// swap takes the lines that wait, and leaves the spare memory in their place.
func (w *writer) swap() (lines []byte, dropped uint64) {
	b := w.buffer
	b.mu.Lock()
	defer b.mu.Unlock()
	lines, b.waiting, w.spare = b.waiting, w.spare, nil
	b.writing, b.due = len(lines), false
	return lines, b.dropped
}

// write writes whole lines, in pieces. Each that is written makes room.
func (w *writer) write(lines []byte) {
	for len(lines) > 0 {
		piece := lines[:pieceOf(lines)]
		lines = lines[len(piece):]
		lost := 0
		if n, err := w.buffer.out.Write(piece); err != nil {
			lost = bytes.Count(piece[n:], []byte{'\n'})
		}
		w.written(len(piece), lost)
	}
}

// pieceOf is the length of as many lines as fit in a piece, or of one.
func pieceOf(lines []byte) int {
	if len(lines) <= pieceBytes {
		return len(lines)
	}
	if end := bytes.LastIndexByte(lines[:pieceBytes], '\n'); end >= 0 {
		return end + 1
	}
	return bytes.IndexByte(lines, '\n') + 1
}

// written makes room for as many bytes. Lines that were lost with them are counted, and
// no line tells of them: it would be lost as well.
func (w *writer) written(n, lost int) {
	b := w.buffer
	b.mu.Lock()
	defer b.mu.Unlock()
	b.writing -= n
	b.dropped += uint64(lost)
	w.told += uint64(lost)
}

// tell writes the line about those that were dropped. It stands behind the lines that
// had their place.
func (w *writer) tell(dropped uint64) {
	record := slog.NewRecord(time.Now(), slog.LevelError, "log lines were dropped: more came than their reader took", 0)
	record.AddAttrs(slog.Uint64("dropped", dropped-w.told))
	w.told = dropped
	_ = w.buffer.format(w.buffer.out).Handle(context.Background(), record) // There is no other place to report it.
}
