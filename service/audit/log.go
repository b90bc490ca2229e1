package audit

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Options say where a log goes and how long it may take. What is zero has the
// default that is named with it.
type Options struct {
	// Path is a file, which is made if it is missing (0600) and only ever
	// appended to, or a FIFO or a character device. "" and "-" are Stdout.
	Path string
	// Stdout is required for the standard output, and not used otherwise. An
	// *os.File is written to through a descriptor of the log, and stays open; a
	// broken pipe is an error and does not end the process. Any other writer is
	// used by one goroutine at a time.
	Stdout io.Writer
	// Timeout is the longest that Write and Reopen wait: one second.
	Timeout time.Duration
	// Queue is how many offered records may wait: 1024, of at most MaxLine each.
	Queue int
	// Logger gets a line when the sink fails and when it works again, and for
	// dropped records: each at most once a minute. None by default.
	Logger *slog.Logger
}

// Log writes records to a sink. Its methods may be called at the same time.
//
// One goroutine writes. When the sink fails, it is tried again with every Write,
// and once a second for the records that were offered, which wait meanwhile.
// A FIFO that has lost its reader, or a file that has gone bad, is opened anew,
// at most once a second.
type Log struct {
	path     string
	fixed    bool // The sink was given, and cannot be opened again.
	timeout  time.Duration
	logger   *slog.Logger
	writes   chan *entry     // Unbuffered: a caller that gives up leaves nothing behind.
	offers   chan *entry     // Sent to under mu, and not once closed.
	reopens  chan chan error // Unbuffered.
	closing  chan struct{}   // Closed by Close: write what is there, and end.
	quit     chan struct{}   // Closed when Close waits no longer: end.
	done     chan struct{}   // Closed when the writer has ended.
	quitOnce sync.Once
	lost     error // Why accepted records were not written; set before done.

	mu     sync.RWMutex
	closed bool

	free         sync.Pool // Of *entry.
	dropped      atomic.Uint64
	failed       atomic.Uint64
	written      atomic.Uint64
	dropWarnings oncePerMinute
}

// entry is a line on its way to the writer.
type entry struct {
	line   []byte
	result chan error // Of a Write, with room for one; nil of an Offer.
}

// Open opens the sink and starts to write. It returns an *Error when the path
// cannot be opened or cannot be appended to, such as a directory. A FIFO
// without a reader is opened later, when it has one; until then records wait,
// and Write fails. The log must be closed.
func Open(options Options) (*Log, error) {
	s := &sink{path: options.Path, retry: time.Second}
	if options.Path == "" || options.Path == "-" {
		s.path = "-"
		if options.Stdout == nil {
			return nil, newError("open", s.path, errors.New("no standard output was given"))
		}
		s.out = ownStdout(options.Stdout)
	} else {
		s.open = openPath
	}
	return start(options, s)
}

// start opens the sink, where it has to be opened, and starts the writer.
func start(options Options, s *sink) (*Log, error) {
	if options.Timeout < 0 || options.Queue < 0 {
		return nil, newError("open", s.path, errors.New("a timeout or queue below zero"))
	}
	l := &Log{
		path:    s.path,
		fixed:   s.open == nil,
		timeout: cmp.Or(options.Timeout, time.Second),
		logger:  cmp.Or(options.Logger, slog.New(slog.DiscardHandler)),
		writes:  make(chan *entry),
		offers:  make(chan *entry, cmp.Or(options.Queue, 1024)),
		reopens: make(chan chan error),
		closing: make(chan struct{}),
		quit:    make(chan struct{}),
		done:    make(chan struct{}),
	}
	l.free.New = func() any { return new(entry) }
	s.written, s.failed = &l.written, &l.failed
	w := &writer{log: l, sink: s}
	if s.open != nil {
		if err := s.openFirst(); errors.Is(err, errNoReader) {
			w.note(err)
		} else if err != nil {
			return nil, newError("open", l.path, err)
		}
	}
	go w.run()
	return l, nil
}

// Write writes a record and waits until all of its line is with the kernel, for
// as long as ctx and Options.Timeout allow. Any error is an *Error, and means
// that the line is not known to be written: when the time is up in the middle
// of it, it may still be written.
func (l *Log) Write(ctx context.Context, r *Record) error {
	err := l.write(ctx, r)
	if err != nil {
		l.failed.Add(1)
	}
	return newError("write", l.path, err)
}

func (l *Log) write(ctx context.Context, r *Record) error {
	ctx, cancel := context.WithTimeoutCause(ctx, l.timeout, os.ErrDeadlineExceeded)
	defer cancel()
	e := l.entry(r)
	e.result = make(chan error, 1)
	select {
	case <-l.closing:
		return ErrClosed
	default:
	}
	select {
	case l.writes <- e:
	case <-l.closing:
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	// From here on the line belongs to the writer, until it returns the result.
	select {
	case err := <-e.result:
		l.recycle(e)
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-e.result:
		l.recycle(e)
		return err
	default:
		return context.Cause(ctx)
	}
}

// Offer leaves a record to be written, and does not wait for it. A record that
// finds the queue full, or the log closed, is dropped and counted.
func (l *Log) Offer(r *Record) {
	e := l.entry(r)
	if l.enqueue(e) {
		return
	}
	l.recycle(e)
	dropped := l.dropped.Add(1)
	if l.dropWarnings.now() {
		l.logger.Error("audit records are dropped: more come than can be written", "path", l.path, "dropped", dropped)
	}
}

func (l *Log) enqueue(e *entry) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return false
	}
	select {
	case l.offers <- e:
		return true
	default:
		return false
	}
}

// entry makes the line of a record. It is bounded, so entries are reused.
func (l *Log) entry(r *Record) *entry {
	e, _ := l.free.Get().(*entry)
	e.line = append(r.AppendJSON(e.line[:0]), '\n')
	return e
}

func (l *Log) recycle(e *entry) {
	e.result = nil
	l.free.Put(e)
}

// Reopen opens the path again, and once it has returned nil nothing more is
// written to what was open before: the way to rotate a file is to rename it and
// then call Reopen. When it returns an *Error, the old file stays in use. The
// standard output is never opened again, which is not an error.
func (l *Log) Reopen() error {
	if l.fixed {
		return nil
	}
	timer := time.NewTimer(l.timeout)
	defer timer.Stop()
	reply := make(chan error, 1)
	select {
	case l.reopens <- reply:
	case <-l.closing:
		return newError("reopen", l.path, ErrClosed)
	case <-timer.C:
		return newError("reopen", l.path, os.ErrDeadlineExceeded)
	}
	select {
	case err := <-reply:
		return newError("reopen", l.path, err)
	case <-timer.C:
		return newError("reopen", l.path, os.ErrDeadlineExceeded)
	}
}

// Close writes what was accepted and closes the sink. It waits for a slow one
// until ctx ends, and does not wait for one that refuses: a full disk, a FIFO
// without a reader. It returns an *Error when accepted records were not, or may
// not have been, written. A sink that can be given no deadline, such as a
// terminal, and that hangs in the kernel keeps its goroutine until it moves.
func (l *Log) Close(ctx context.Context) error {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.closing)
	}
	l.mu.Unlock()
	select {
	case <-l.done:
	case <-ctx.Done():
		l.quitOnce.Do(func() { close(l.quit) })
		return newError("close", l.path, context.Cause(ctx))
	}
	return newError("close", l.path, l.lost)
}

// Dropped counts the offered records that were not accepted.
func (l *Log) Dropped() uint64 { return l.dropped.Load() }

// Written counts the lines that are with the kernel.
func (l *Log) Written() uint64 { return l.written.Load() }

// Failed counts the Writes that returned an error, and the offered records that
// were accepted and then lost. A Write that failed in the middle of a line is
// in Written too, once the line is completed.
func (l *Log) Failed() uint64 { return l.failed.Load() }
