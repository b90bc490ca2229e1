//go:build unix

package audit

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func makeFIFO(t *testing.T, path string) string {
	t.Helper()
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// reads opens the end of a FIFO to read from. The file may be given a deadline.
func reads(t *testing.T, path string) *os.File {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	if err := file.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return file
}

// untilWritten writes until it works.
func untilWritten(t *testing.T, l *Log, r *Record) {
	t.Helper()
	for ctx := within(t); ; {
		err := l.Write(ctx, r)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}

// untilStuck writes until the pipe is full and the log says so, and returns how many
// certainly went in. On a busy machine a Write may run out of time before that.
func untilStuck(t *testing.T, l *Log, r *Record, saysSo func() bool) int {
	t.Helper()
	n := 0
	for range 10_000 {
		switch err := l.Write(within(t), r); {
		case err == nil:
			n++
		case !errors.Is(err, os.ErrDeadlineExceeded):
			t.Fatal(err)
		case saysSo():
			return n
		}
	}
	t.Fatal("a pipe without an end")
	return 0
}

// failing says whether the log says that it fails.
func failing(l *Log) func() bool { return func() bool { return l.Failing() != nil } }

func TestFIFOWithoutReader(t *testing.T) {
	t.Parallel()
	path := makeFIFO(t, tempPath(t))
	var logged lockedBuffer
	l := hasty(t, Options{Path: path, Logger: logged.logger()})
	l.Offer(call("held"))
	for range 3 {
		if err := l.Write(t.Context(), call("refused")); !errors.Is(err, errNoReader) {
			t.Errorf("%v", err)
		}
	}
	reader := reads(t, path)
	untilWritten(t, l, call("written"))
	mustClose(t, l)
	text, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	got := ids(t, text)
	if len(got) == 2 && got[0] == "written" {
		got[0], got[1] = got[1], got[0]
	}
	if diff := cmp.Diff([]string{"held", "written"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if text := logged.String(); strings.Count(text, "cannot be written") != 1 || strings.Count(text, "written again") != 1 {
		t.Errorf("logged: %s", text)
	}
}

func TestFIFOThatNeverHasAReader(t *testing.T) {
	t.Parallel()
	l := open(t, Options{Path: makeFIFO(t, tempPath(t))})
	if err := l.Write(t.Context(), call("refused")); !errors.Is(err, errNoReader) {
		t.Errorf("%v", err)
	}
	l.Offer(call("lost"))
	if err := l.Close(within(t)); !errors.Is(err, errNoReader) || l.Failed() != 2 {
		t.Errorf("%v, failed %d", err, l.Failed())
	}
}

// A reader that leaves takes what it has not read with it, and no more.
func TestFIFOThatLosesItsReader(t *testing.T) {
	t.Parallel()
	path := makeFIFO(t, tempPath(t))
	reader := reads(t, path)
	l := hasty(t, Options{Path: path})
	untilWritten(t, l, call("1"))
	if line, err := bufio.NewReader(reader).ReadBytes('\n'); err != nil || len(ids(t, line)) != 1 {
		t.Fatalf("%q, %v", line, err)
	}
	_ = reader.Close()
	if err := l.Write(t.Context(), call("refused")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("%v", err)
	}
	// Another FIFO of that name, as another program may make it. The log makes no
	// file there in between.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := l.Write(t.Context(), call("refused")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("%v", err)
	}
	reader = reads(t, makeFIFO(t, path))
	untilWritten(t, l, call("2"))
	mustClose(t, l)
	text, err := io.ReadAll(reader)
	if diff := cmp.Diff([]string{"2"}, ids(t, text)); err != nil || diff != "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
}

// longest is a record in one line that is longer than a pipe takes at once.
func longest() *Record {
	r := worst(strings.Repeat("\n", 300))
	r.Projects, r.Request, r.Answer = nil, nil, nil
	return r
}

func TestFIFOWhoseReaderStalls(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		record *Record
	}{
		{"lines that go in whole or not at all", call(strings.Repeat("x", 50))},
		{"lines that a pipe cuts off", longest()},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := makeFIFO(t, tempPath(t))
			reader := reads(t, path)
			l := hasty(t, Options{Path: path, Timeout: 50 * time.Millisecond})
			n := untilStuck(t, l, test.record, failing(l))
			l.Offer(test.record)
			untilStuck(t, l, test.record, failing(l))

			// It resumes. What was offered meanwhile is still there, and every
			// line is whole.
			text := make(chan []byte)
			go func() {
				all, err := io.ReadAll(reader)
				if err != nil {
					t.Error(err)
				}
				text <- all
			}()
			untilWritten(t, l, call("last"))
			mustClose(t, l)
			lines := ids(t, <-text)
			if got := len(lines); uint64(got) != l.Written() || got < n+2 || l.Dropped().Callers != 0 {
				t.Errorf("%d lines, %d counted, at least %d", got, l.Written(), n+2)
			}
		})
	}
}

func TestCloseOfAStuckFIFO(t *testing.T) {
	t.Parallel()
	path := makeFIFO(t, tempPath(t))
	reads(t, path)
	l := hasty(t, Options{Path: path, Timeout: 50 * time.Millisecond})
	untilStuck(t, l, call("1"), failing(l))
	l.Offer(call("2"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	// The writer ends by itself, and says what was lost.
	if err := l.Close(within(t)); !errors.Is(err, ErrClosed) || !strings.Contains(err.Error(), "records lost: 1") {
		t.Errorf("%v", err)
	}
}
