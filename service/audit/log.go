package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/peernet"
)

// Options say where a log goes and how long it may take. What is zero has the
// default that is named with it.
type Options struct {
	// Path is a file, which is made if it is missing (0600) and only ever
	// appended to, or a FIFO or a character device; or a socket of a collector:
	// unix:///path or tcp://host:port. "" and "-" are Stdout.
	Path string
	// Stdout is required for the standard output, and not used otherwise. An
	// *os.File is written to through a descriptor of the log, and stays open; a
	// broken pipe is an error and does not end the process. Any other writer is
	// used by one goroutine at a time.
	Stdout io.Writer
	// Sync makes Write wait until the line is on the disk, and not only with the
	// kernel. Writes at the same time share one wait. The path has to be a file.
	Sync bool
	// Timeout is the longest that Write and Reopen wait: one second.
	Timeout time.Duration
	// Queue is how many lines of offered records of callers may wait: 1024, of at
	// most MaxLine each. Callers have equal shares in it when it is full.
	Queue int
	// StrangersQueue is the same for records without a caller: 256. The addresses of
	// IPv4, and the networks of IPv6 (/64), from which strangers come have equal shares
	// in it.
	StrangersQueue int
	// Memory, if set, keeps the lines of every record of a call too, whatever becomes of
	// them at the sink.
	Memory Memory
	// Logger gets a line when the sink fails and when it works again, and for
	// dropped records: each at most once a minute. None by default.
	Logger *slog.Logger
}

// Memory keeps the records of the last calls.
type Memory interface {
	// Keep keeps a record. Both belong to the caller again once it has returned, and it
	// waits for nothing.
	Keep(r *Record, lines []byte)
}

// Log writes records to a sink. Its methods may be called at the same time.
//
// One goroutine writes. Offered records linger for a tenth of a second at the most, to
// be written together; a Write does not. When the sink fails, it is tried again with every Write,
// and once a second for the records that were offered, which wait meanwhile; where
// there are none, a record of the log's own shows that it works again. A FIFO that
// has lost its reader, or a file that has gone bad, is opened anew, at most once a
// second; a socket is connected anew, ever less often while that fails.
type Log struct {
	path     string
	memory   Memory // nil: none.
	fixed    bool   // The sink was given, and cannot be opened again.
	timeout  time.Duration
	logger   *slog.Logger
	writes   chan *entry // Unbuffered: a caller that gives up leaves nothing behind.
	offers   *queues
	reopens  chan chan error // Unbuffered.
	closing  chan struct{}   // Closed by Close: write what is there, and end.
	quit     chan struct{}   // Closed when Close waits no longer: end.
	done     chan struct{}   // Closed when the writer has ended.
	always   chan struct{}   // Closed.
	quitOnce sync.Once

	closeOnce  sync.Once
	lostBefore uint64 // What was lost before Close; set before closing.
	incomplete error  // Why accepted records were not written; set before done.

	free         sync.Pool // Of *entry.
	written      atomic.Uint64
	failed       atomic.Uint64 // Writes.
	lost         atomic.Uint64 // Offered records that were accepted.
	state        state
	dropWarnings oncePerMinute
}

// entry is a record on its way to the writer.
type entry struct {
	text   []byte // Its lines.
	lines  int
	result chan error // Of a Write, with room for one; nil of an Offer.
	mark   bool       // It is about the log, and no record of a call.

	// Its place in a queue.
	before, next, older, newer *entry
	share                      *share
}

// maxKept is how large the text of an entry may be that is used again.
const maxKept = 2 * MaxLine

// Open opens the sink and starts to write. It returns an *Error when the path
// cannot be opened or cannot be appended to, such as a directory. A FIFO
// without a reader is opened later, when it has one; until then records wait,
// and Write fails. The log must be closed.
func Open(options Options) (*Log, error) {
	s := &sink{path: options.Path, retry: time.Second}
	address, remote, err := ParseAddress(options.Path)
	switch {
	case err != nil:
		return nil, newError("open", s.path, err)
	case remote:
		s.open, s.remote = address.open, true
	case options.Path == "" || options.Path == "-":
		s.path = "-"
		if options.Stdout == nil {
			return nil, newError("open", s.path, errors.New("no standard output was given"))
		}
		s.use(ownStdout(options.Stdout))
	default:
		s.open = openPath
	}
	return start(options, s)
}

// start opens the sink, where it has to be opened, and starts the writer.
func start(options Options, s *sink) (*Log, error) {
	if options.Timeout < 0 || options.Queue < 0 || options.StrangersQueue < 0 {
		return nil, newError("open", s.path, errors.New("a timeout or queue below zero"))
	}
	l := &Log{
		path:    s.path,
		memory:  options.Memory,
		fixed:   s.open == nil,
		timeout: cmp.Or(options.Timeout, time.Second),
		logger:  cmp.Or(options.Logger, slog.New(slog.DiscardHandler)),
		writes:  make(chan *entry),
		offers:  newQueues(cmp.Or(options.Queue, 1024), cmp.Or(options.StrangersQueue, 256)),
		reopens: make(chan chan error),
		closing: make(chan struct{}),
		quit:    make(chan struct{}),
		done:    make(chan struct{}),
		always:  make(chan struct{}),
	}
	close(l.always)
	l.free.New = func() any { return new(entry) }
	s.written, s.lost, s.timeout, s.durable = &l.written, &l.lost, l.timeout, options.Sync
	w := &writer{log: l, sink: s}
	if s.open != nil {
		if err := s.openFirst(); s.remote && err != nil || errors.Is(err, errNoReader) {
			w.note(err)
		} else if err != nil {
			return nil, newError("open", l.path, err)
		}
	}
	if err := s.sync(); options.Sync && err != nil {
		s.close()
		return nil, newError("open", l.path, fmt.Errorf("cannot be synced: %w", bare(err)))
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
// finds its queue full, or the log closed, is dropped and counted; so is the newest of
// the caller, or of the network of strangers, that has the most in the queue, where
// another one needs the room.
func (l *Log) Offer(r *Record) {
	stranger := r.Caller == "" && r.Agent == ""
	key := r.Caller
	if stranger {
		key = network(r).String()
	}
	dropped := l.offers.push(l.entry(r), stranger, key)
	if dropped == nil {
		return
	}
	for e := dropped; e != nil; {
		next := e.next
		l.recycle(e)
		e = next
	}
	if l.dropWarnings.now() {
		total := l.offers.dropped()
		l.logger.Error("audit records are dropped: more come than can be written", "path", l.path, "dropped", total.Callers, "of_strangers", total.Strangers)
	}
}

// network is that of the stranger whom a record is about: behind a trusted proxy, that
// of the one for whom it speaks.
func network(r *Record) netip.Addr {
	if r.ForwardedFor != "" {
		return peernet.OfHost(r.ForwardedFor)
	}
	return peernet.Of(r.Peer)
}

// entry makes the lines of a record.
func (l *Log) entry(r *Record) *entry {
	e, _ := l.free.Get().(*entry)
	e.text, e.lines = r.AppendLines(e.text[:0])
	e.mark = r.Event == EventDropped || r.Event == EventResumed
	if l.memory != nil && !e.mark {
		l.memory.Keep(r, e.text)
	}
	return e
}

func (l *Log) recycle(e *entry) {
	e.result, e.next = nil, nil
	if cap(e.text) <= maxKept {
		l.free.Put(e)
	}
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
	l.closeOnce.Do(func() {
		l.offers.close()
		l.lostBefore = l.lost.Load()
		close(l.closing)
	})
	select {
	case <-l.done:
	case <-ctx.Done():
		l.quitOnce.Do(func() { close(l.quit) })
		return newError("close", l.path, context.Cause(ctx))
	}
	return newError("close", l.path, l.incomplete)
}

// Dropped counts the offered records that were not accepted, or had to give way.
func (l *Log) Dropped() Queues { return l.offers.dropped() }

// Waiting counts the records that wait to be written.
func (l *Log) Waiting() Queues { return l.offers.waiting() }

// Written counts the records that are with the kernel, and with Options.Sync on the
// disk.
func (l *Log) Written() uint64 { return l.written.Load() }

// Failed counts the Writes that returned an error, and the offered records that
// were accepted and then lost, with Options.Sync also those that a sync did not bring
// to the disk. A Write that failed in the middle of a line, or whose time was up, is
// in Written too, once the line is there.
func (l *Log) Failed() uint64 { return l.failed.Load() + l.lost.Load() }

// Failing says why the sink does not take records at the moment: the last attempt
// failed, or one takes longer than it may. Nil when it does.
func (l *Log) Failing() error { return newError("write", l.path, l.state.failing(l.timeout)) }
