package logbuffer_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/logbuffer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds waits for events that should come at once; never is longer than any
// test waits.
const patience, never = 30 * time.Second, time.Hour

func format(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) }

// line is what a test reads of a line.
type line struct {
	Level   string `json:"level"`
	Msg     string `json:"msg"`
	By      int    `json:"by"`
	N       int    `json:"n"`
	Dropped uint64 `json:"dropped"`
}

// pipe is the reader of a log that a test makes read.
type pipe struct {
	reader, writer *os.File
	lines          *bufio.Scanner
}

func newPipe(t *testing.T) *pipe {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = reader.Close(), writer.Close() })
	return &pipe{reader, writer, bufio.NewScanner(reader)}
}

// next waits for the next line.
func (p *pipe) next(t *testing.T) line {
	t.Helper()
	if err := p.reader.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	var l line
	if !p.lines.Scan() {
		t.Fatalf("no line: %v", p.lines.Err())
	}
	if err := json.Unmarshal(p.lines.Bytes(), &l); err != nil {
		t.Fatalf("%q: %v", p.lines.Bytes(), err)
	}
	return l
}

// rest closes the buffer, and returns the lines that the reader has not read.
func (p *pipe) rest(t *testing.T, b *logbuffer.Buffer) (all []line) {
	t.Helper()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		b.Close(ctx)
		_ = p.writer.Close() // The reader sees the end.
	}()
	for p.lines.Scan() {
		var l line
		if err := json.Unmarshal(p.lines.Bytes(), &l); err != nil {
			t.Errorf("%q: %v", p.lines.Bytes(), err)
		}
		all = append(all, l)
	}
	<-closed
	return all
}

// TestAStalledReaderHoldsUpNobody: nobody who logs waits for a pipe that nobody reads.
// Once somebody does, the lines that had room are there, in their order, and what is
// missing is counted and told.
func TestAStalledReaderHoldsUpNobody(t *testing.T) {
	t.Parallel()
	const n = 20_000 // Far more than a pipe and the buffer take together.
	p := newPipe(t)
	b := logbuffer.Open(logbuffer.Options{Out: p.writer, Format: format, Room: 64 << 10})
	logger := slog.New(b.Handler())
	for i := range n {
		logger.Info("line", "n", i)
	}
	dropped := b.Dropped()
	if dropped == 0 {
		t.Fatal("all lines found room")
	}
	last, written, told := -1, uint64(0), uint64(0)
	for _, l := range p.rest(t, b) {
		if told += l.Dropped; l.Dropped > 0 {
			if l.Level != "ERROR" {
				t.Errorf("the gap is told as %+v", l)
			}
			continue
		}
		if l.N <= last {
			t.Fatalf("line %d after %d", l.N, last)
		}
		last, written = l.N, written+1
	}
	if told != dropped || b.Dropped() != dropped || written+dropped != n {
		t.Errorf("%d lines of %d were written; %d are counted as dropped, and %d are told of", written, n, dropped, told)
	}
}

// TestABurstArrives: every line of a burst that has room is written, those of each
// goroutine in their order.
func TestABurstArrives(t *testing.T) {
	t.Parallel()
	const goroutines, n = 8, 500
	p := newPipe(t)
	b := logbuffer.Open(logbuffer.Options{Out: p.writer, Format: format})
	var all sync.WaitGroup
	for by := range goroutines {
		logger := slog.New(b.Handler()).With("by", by)
		all.Go(func() {
			for i := range n {
				logger.Info("line", "n", i)
			}
		})
	}
	all.Wait()
	var next [goroutines]int
	for _, l := range p.rest(t, b) {
		if l.N != next[l.By] {
			t.Fatalf("line %d of %d, want %d", l.N, l.By, next[l.By])
		}
		next[l.By]++
	}
	for by, have := range next {
		if have != n {
			t.Errorf("%d lines of %d arrived, of %d", have, by, n)
		}
	}
	if b.Dropped() != 0 {
		t.Errorf("%d were dropped", b.Dropped())
	}
}

// TestErrorsHaveRoomOfTheirOwn: lines that nobody reads leave room for errors.
func TestErrorsHaveRoomOfTheirOwn(t *testing.T) {
	t.Parallel()
	p := newPipe(t)
	b := logbuffer.Open(logbuffer.Options{Out: p.writer, Format: format, Room: 64 << 10})
	logger := slog.New(b.Handler())
	for b.Dropped() == 0 {
		logger.Info("line")
	}
	before := b.Dropped()
	const errs = 20
	for i := range errs {
		logger.Error("error", "n", i)
	}
	if b.Dropped() != before {
		t.Errorf("%d errors were dropped", b.Dropped()-before)
	}
	found := 0
	for _, l := range p.rest(t, b) {
		if l.Msg == "error" && l.N == found {
			found++
		}
	}
	if found != errs {
		t.Errorf("%d errors of %d arrived", found, errs)
	}
}

// TestAnErrorDoesNotLinger: it is written at once, and so is what was logged before.
func TestAnErrorDoesNotLinger(t *testing.T) {
	t.Parallel()
	p := newPipe(t)
	b := logbuffer.Open(logbuffer.Options{Out: p.writer, Format: format, Linger: never})
	logger := slog.New(b.Handler()).WithGroup("g")
	logger.Info("first")
	logger.Error("second")
	for _, want := range []string{"first", "second"} {
		if l := p.next(t); l.Msg != want {
			t.Errorf("%+v, want %s", l, want)
		}
	}
	logger.Info("third")
	b.Flush(t.Context())
	if l := p.next(t); l.Msg != "third" {
		t.Errorf("%+v after a flush", l)
	}
	logger.Info("fourth")
	if rest := p.rest(t, b); len(rest) != 1 || rest[0].Msg != "fourth" {
		t.Errorf("%+v after Close", rest)
	}
	logger.Error("late")
	b.Flush(t.Context()) // It does not wait for what has ended.
	if b.Dropped() != 1 {
		t.Errorf("after Close, %d lines are dropped", b.Dropped())
	}
}

// TestCloseDoesNotWaitForever: for a reader that does not read, no longer than it may.
func TestCloseDoesNotWaitForever(t *testing.T) {
	t.Parallel()
	p := newPipe(t)
	b := logbuffer.Open(logbuffer.Options{Out: p.writer, Format: format, Room: 256 << 10})
	logger := slog.New(b.Handler())
	for b.Dropped() == 0 {
		logger.Info("line")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b.Flush(ctx)
	b.Close(ctx)
	p.rest(t, b) // The goroutine ends once it can.
}

// broken fails.
type broken struct{}

func (broken) Write(p []byte) (int, error) { return len(p) / 2, errors.New("broken") }

// TestFailedLinesAreCounted: an output that fails loses lines, and nothing else.
func TestFailedLinesAreCounted(t *testing.T) {
	t.Parallel()
	b := logbuffer.Open(logbuffer.Options{Out: broken{}, Format: format, Linger: never})
	logger := slog.New(b.Handler())
	for range 3 {
		logger.Info("line")
	}
	b.Close(t.Context())
	if b.Dropped() != 2 { // One and a half arrived.
		t.Errorf("%d lines of three were lost", b.Dropped())
	}
}

// BenchmarkLine is what a line costs who logs it, while its reader keeps up.
func BenchmarkLine(b *testing.B) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = null.Close() }()
	buffer := logbuffer.Open(logbuffer.Options{Out: null, Format: format})
	defer buffer.Close(b.Context())
	for name, logger := range map[string]*slog.Logger{"direct": slog.New(format(null)), "buffer": slog.New(buffer.Handler())} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				logger.LogAttrs(b.Context(), slog.LevelInfo, "call", slog.String("method", "a.b.C/D"), slog.String("caller", "ann"), slog.String("code", "ok"))
			}
		})
	}
}
