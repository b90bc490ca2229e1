//go:build unix

package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Some things happen to a whole process, so a test starts another: its own
// binary, with the name of a child in this variable.
const childVariable = "AUDIT_TEST_CHILD"

// runChild runs a child and returns its status. What a child has to say, it
// says on its standard error.
func runChild(name string) int {
	children := map[string]func() error{
		"broken pipe": childWithBrokenPipe,
		"limited":     childWithLimitedFiles,
		"killed":      childThatIsKilled,
	}
	if err := children[name](); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func child(t *testing.T, name string, environment ...string) *exec.Cmd {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(within(t), binary)
	command.Env = append(os.Environ(), append(environment, childVariable+"="+name)...)
	return command
}

// Go ends a process that writes to a broken pipe or socket on descriptor 1.
func TestBrokenStandardOutputEndsNothing(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		pair func() (reader, stdout *os.File, err error)
	}{
		{"pipe", os.Pipe},
		{"socket", func() (reader, stdout *os.File, err error) {
			syscall.ForkLock.RLock()
			defer syscall.ForkLock.RUnlock()
			ends, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
			syscall.CloseOnExec(ends[0])
			syscall.CloseOnExec(ends[1])
			return os.NewFile(uintptr(ends[0]), "reader"), os.NewFile(uintptr(ends[1]), "stdout"), err
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			reader, stdout, err := test.pair()
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = stdout.Close() }()
			var said strings.Builder
			command := child(t, "broken pipe")
			command.Stdout, command.Stderr = stdout, &said
			release, err := command.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			// The pipe breaks while the child has it.
			line := make([]byte, 1024)
			n, err := reader.Read(line)
			if err != nil || len(ids(t, line[:n])) != 1 {
				t.Errorf("%q, %v", line[:n], err)
			}
			_ = reader.Close()
			_ = release.Close()
			if err := command.Wait(); err != nil {
				t.Errorf("%v: %s", err, said.String())
			}
		})
	}
}

func childWithBrokenPipe() error {
	l, err := Open(Options{Stdout: os.Stdout})
	if err != nil {
		return err
	}
	ctx := context.Background()
	if err := l.Write(ctx, call("whole")); err != nil {
		return err
	}
	_, _ = os.Stdin.Read(make([]byte, 1)) // Until the pipe is broken.
	if err := l.Write(ctx, call("broken")); !errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("written to a broken pipe: %w", err)
	}
	// One that is broken from the start.
	other, err := Open(Options{Stdout: os.Stdout})
	if err != nil {
		return err
	}
	if err := other.Write(ctx, call("broken")); !errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("written to a broken pipe: %w", err)
	}
	return errors.Join(l.Close(ctx), other.Close(ctx))
}

// The kernel takes as much of a line as fits, and then nothing.
func TestDiskThatFillsUpInALine(t *testing.T) {
	t.Parallel()
	path := tempPath(t)
	command := child(t, "limited", "AUDIT_TEST_PATH="+path)
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	got := ids(t, read(t, path))
	if want := "1 2 3 4"; strings.Join(got, " ") != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func childWithLimitedFiles() error {
	l, err := Open(Options{Path: os.Getenv("AUDIT_TEST_PATH")})
	if err != nil {
		return err
	}
	ctx := context.Background()
	if err := l.Write(ctx, call("1")); err != nil {
		return err
	}
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		return err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 50, Max: old.Max}); err != nil {
		return err
	}
	for range 3 { // The first is cut off, the others wait for it.
		if err := l.Write(ctx, call("2")); !errors.Is(err, syscall.EFBIG) {
			return fmt.Errorf("written beyond the limit: %w", err)
		}
	}
	l.Offer(call("3"))
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		return err
	}
	if err := l.Close(ctx); err != nil {
		return err
	}
	// And once more: a process that went away in the middle of a line.
	file, err := os.OpenFile(os.Getenv("AUDIT_TEST_PATH"), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if err := errors.Join(file.Truncate(info.Size()-1), file.Close()); err != nil {
		return err
	}
	if l, err = Open(Options{Path: os.Getenv("AUDIT_TEST_PATH")}); err != nil {
		return err
	}
	return errors.Join(l.Write(ctx, call("4")), l.Close(ctx))
}

// TestWhatAKillLeaves: a record that was written is in the file before Write returns,
// and one that was offered when it has lingered, though the process never closes the
// log.
func TestWhatAKillLeaves(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/audit"
	command := child(t, "killed", "AUDIT_TEST_PATH="+path)
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stdin.Close() }()
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := stdout.Read(make([]byte, 1)); err != nil { // It has written one.
		t.Fatal(err)
	}
	read := func() []string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return ids(t, text)
	}
	if got := read(); len(got) == 0 || got[0] != "written" {
		t.Errorf("after Write the file has %q", got)
	}
	for within := within(t); len(read()) < 2 && within.Err() == nil; {
		<-time.After(time.Millisecond)
	}
	_ = command.Process.Kill()
	_ = command.Wait() // It was killed.
	if got := read(); !slices.Equal(got, []string{"written", "offered"}) {
		t.Errorf("after the kill the file has %q", got)
	}
}

func childThatIsKilled() error {
	l, err := Open(Options{Path: os.Getenv("AUDIT_TEST_PATH")})
	if err != nil {
		return err
	}
	if err := l.Write(context.Background(), call("written")); err != nil {
		return err
	}
	_, _ = os.Stdout.WriteString("w")
	l.Offer(call("offered"))
	_, _ = os.Stdin.Read(make([]byte, 1)) // It is killed.
	return nil
}
