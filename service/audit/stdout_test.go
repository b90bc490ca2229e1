//go:build unix

package audit

import (
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
	"time"
)

// blockingPipe is a pipe as a shell makes it: its writer waits.
func blockingPipe(t *testing.T) (reader, writer *os.File) {
	t.Helper()
	var ends [2]int
	if err := syscall.Pipe(ends[:]); err != nil {
		t.Fatal(err)
	}
	reader, writer = os.NewFile(uintptr(ends[0]), "reader"), os.NewFile(uintptr(ends[1]), "writer")
	t.Cleanup(func() { _, _ = reader.Close(), writer.Close() })
	return reader, writer
}

func TestStandardOutputThatStalls(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip(err)
	}
	reader, stdout := blockingPipe(t)
	l := open(t, Options{Stdout: stdout, Timeout: 50 * time.Millisecond})
	untilStuck(t, l, call("1"), failing(l))
	// Others who write there find it as it was.
	flags, _, failed := syscall.Syscall(syscall.SYS_FCNTL, stdout.Fd(), syscall.F_GETFL, 0)
	if failed != 0 || flags&syscall.O_NONBLOCK != 0 {
		t.Errorf("flags %x, %v", flags, failed)
	}
	if err := l.Reopen(); err != nil {
		t.Error(err)
	}
	text := make(chan []byte)
	go func() {
		all, err := io.ReadAll(reader)
		if err != nil {
			t.Error(err)
		}
		text <- all
	}()
	untilWritten(t, l, call("2"))
	mustClose(t, l)
	// Still open: the log closed only its own.
	if _, err := stdout.WriteString("{}\n"); err != nil {
		t.Error(err)
	}
	_ = stdout.Close()
	if got, want := len(ids(t, <-text)), int(l.Written())+1; got != want {
		t.Errorf("%d lines, want %d", got, want)
	}
}

func TestStandardOutputToAFile(t *testing.T) {
	t.Parallel()
	path := tempPath(t)
	stdout, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stdout.Close() }()
	l := open(t, Options{Path: "-", Stdout: stdout})
	for _, id := range []string{"1", "2"} {
		if err := l.Write(t.Context(), call(id)); err != nil {
			t.Fatal(err)
		}
		// Neither writes over the other.
		if _, err := stdout.WriteString("{}\n"); err != nil {
			t.Fatal(err)
		}
	}
	if got := ids(t, read(t, path)); len(got) != 4 {
		t.Errorf("%q", got)
	}
}

func TestStandardOutputThatIsClosed(t *testing.T) {
	t.Parallel()
	_, stdout := blockingPipe(t)
	_ = stdout.Close()
	l := open(t, Options{Stdout: stdout})
	if err := l.Write(t.Context(), call("1")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("%v", err)
	}
}
