package logbuffer

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

const (
	// defaultRoom is the default of [Options.Room] in bytes: some thousand lines.
	defaultRoom = 1 << 20
	// defaultLinger is the default of [Options.Linger].
	defaultLinger = 20 * time.Millisecond
	// errorsShare is the part of the room that errors alone may take: one in so many.
	errorsShare = 4
	// pieceBytes is the most that one write has, unless a line is longer: a pipe takes
	// that much whole or not at all, whoever else writes to it.
	pieceBytes = 4096
)

// Options configure [Open]. What is zero has the default that is named with it.
type Options struct {
	// Out receives the lines. One goroutine writes to it, and a write may take as long as
	// it likes. Required.
	Out io.Writer
	// Format makes a handler that writes each record to w with one Write. It is called
	// more than once; the handlers must have one level. Required.
	Format func(w io.Writer) slog.Handler
	// Room is how many bytes of lines may wait: 1 MiB. A quarter is for errors alone.
	Room int
	// Linger is how long a line may wait for others, to be written with them: 20 ms. An
	// error does not wait.
	Linger time.Duration
}

// Buffer holds lines until they are written. Its methods may be called at the same time.
type Buffer struct {
	out    io.Writer
	room   int
	linger time.Duration
	format func(io.Writer) slog.Handler

	mu      sync.Mutex
	waiting []byte
	writing int    // Bytes that the goroutine has taken, and not yet written.
	due     bool   // What waits does not linger.
	closed  bool   // Nothing is taken any more.
	dropped uint64 // Lines.

	wake    chan struct{}      // Has room for one.
	flushes chan chan struct{} // Unbuffered.
	closing chan struct{}      // Closed by Close.
	done    chan struct{}      // Closed when the goroutine has ended.

	closeOnce sync.Once
}

// Open makes a buffer, and starts the goroutine that empties it, which [Buffer.Close]
// ends.
func Open(o Options) *Buffer {
	b := &Buffer{
		out: o.Out, format: o.Format, room: cmp.Or(o.Room, defaultRoom), linger: cmp.Or(o.Linger, defaultLinger),
		wake: make(chan struct{}, 1), flushes: make(chan chan struct{}), closing: make(chan struct{}), done: make(chan struct{}),
	}
	go (&writer{buffer: b}).run()
	return b
}

// Dropped counts the lines that were not written: there was no room for them, the buffer
// was closed, or the write failed.
func (b *Buffer) Dropped() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dropped
}

// Flush waits until the lines that are in the buffer are written, or ctx ends.
func (b *Buffer) Flush(ctx context.Context) {
	flushed := make(chan struct{})
	select {
	case b.flushes <- flushed:
	case <-b.done:
		return
	case <-ctx.Done():
		return
	}
	select {
	case <-flushed:
	case <-ctx.Done():
	}
}

// Close takes no more lines, and waits until those in the buffer are written, or ctx
// ends. A write that hangs then keeps the goroutine until it returns.
func (b *Buffer) Close(ctx context.Context) {
	b.closeOnce.Do(func() {
		b.mu.Lock()
		b.closed = true
		b.mu.Unlock()
		close(b.closing)
	})
	select {
	case <-b.done:
	case <-ctx.Done():
	}
}

// put takes a line, or drops it. It never waits for the output.
func (b *Buffer) put(line []byte, isError bool) {
	if b.take(line, isError) {
		select {
		case b.wake <- struct{}{}:
		default:
		}
	}
}

// take says whether the goroutine has to know of the line: it is the first to wait, or
// what waits has become due.
func (b *Buffer) take(line []byte, isError bool) (wake bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	room := b.room
	if !isError {
		room -= b.room / errorsShare
	}
	if b.closed || len(b.waiting)+b.writing+len(line) > room {
		b.dropped++
		return false
	}
	first, wasDue := len(b.waiting) == 0, b.due
	b.waiting = append(b.waiting, line...)
	b.due = wasDue || isError || len(b.waiting) >= b.room/2
	return first || b.due && !wasDue
}
