package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWriteIsThereWhenItReturns(t *testing.T) {
	t.Parallel()
	path := tempPath(t)
	l := open(t, Options{Path: path})
	for _, id := range []string{"1", "2"} {
		if err := l.Write(t.Context(), call(id)); err != nil {
			t.Fatal(err)
		}
	}
	want := `{"event":"call","request_id":"1","caller":"one"}` + "\n" + `{"event":"call","request_id":"2","caller":"one"}` + "\n"
	if diff := cmp.Diff(want, string(read(t, path))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	mustClose(t, l)

	// What is there stays there.
	l = open(t, Options{Path: path})
	l.Offer(call("3"))
	mustClose(t, l)
	if diff := cmp.Diff([]string{"1", "2", "3"}, ids(t, read(t, path))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if l.Written() != 1 || l.Failed() != 0 || l.Dropped().Callers != 0 {
		t.Errorf("written %d, failed %d, dropped %d", l.Written(), l.Failed(), l.Dropped().Callers)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	listener, err := net.Listen("unix", filepath.Join(dir, "socket")) //nolint:noctx // It does not wait.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	if err := os.Symlink(dir, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		options Options
		want    error
	}{
		{"a directory", Options{Path: dir}, syscall.EISDIR},
		{"a link to a directory", Options{Path: filepath.Join(dir, "link")}, syscall.EISDIR},
		{"a file that can be none", Options{Path: dir + "/x/"}, syscall.EISDIR},
		{"below nothing", Options{Path: filepath.Join(dir, "none", "x")}, os.ErrNotExist},
		{"a socket", Options{Path: filepath.Join(dir, "socket")}, syscall.ENXIO},
		{"no standard output", Options{Path: "-"}, nil},
		{"no path at all", Options{}, nil},
		{"a queue below zero", Options{Path: filepath.Join(dir, "x"), Queue: -1}, nil},
		{"a timeout below zero", Options{Path: filepath.Join(dir, "x"), Timeout: -1}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := Open(test.options)
			refusal, ok := errors.AsType[*Error](err)
			if !ok || refusal.Op != "open" || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("%v", err)
			}
			if strings.Count(fmt.Sprint(err), dir) > 1 {
				t.Errorf("names the path twice: %v", err)
			}
		})
	}
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip(err)
	}
	var logged lockedBuffer
	l := open(t, Options{Path: "/dev/full", Logger: logged.logger()})
	for range 3 {
		err := l.Write(t.Context(), call("secret-id"))
		if refusal, ok := errors.AsType[*Error](err); !ok || !errors.Is(err, syscall.ENOSPC) || refusal.Path != "/dev/full" || refusal.Op != "write" {
			t.Errorf("%v", err)
		}
	}
	for range 5 {
		l.Offer(call("secret-id"))
	}
	// It does not wait for a disk that says no.
	err := l.Close(within(t))
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "records lost: 5") {
		t.Errorf("%v", err)
	}
	if l.Written() != 0 || l.Failed() != 8 || l.Dropped().Callers != 0 {
		t.Errorf("written %d, failed %d, dropped %d", l.Written(), l.Failed(), l.Dropped().Callers)
	}
	if text := logged.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "no space left") || strings.Contains(text, "secret-id") {
		t.Errorf("logged: %s", text)
	}
}

func TestCloseWritesWhatWasAccepted(t *testing.T) {
	t.Parallel()
	path := tempPath(t)
	l := open(t, Options{Path: path, Queue: 500})
	var want []string
	for i := range 500 {
		want = append(want, fmt.Sprint(i))
		l.Offer(call(fmt.Sprint(i)))
	}
	mustClose(t, l)
	if diff := cmp.Diff(want, ids(t, read(t, path))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	// Closed is closed.
	l.Offer(call("late"))
	if err := l.Write(t.Context(), call("late")); !errors.Is(err, ErrClosed) {
		t.Errorf("write: %v", err)
	}
	if err := l.Reopen(); !errors.Is(err, ErrClosed) {
		t.Errorf("reopen: %v", err)
	}
	mustClose(t, l)
	if l.Written() != 500 || l.Failed() != 1 || l.Dropped().Callers != 1 {
		t.Errorf("written %d, failed %d, dropped %d", l.Written(), l.Failed(), l.Dropped().Callers)
	}
}

func TestWriteOfACallThatIsOver(t *testing.T) {
	t.Parallel()
	l := open(t, Options{Path: tempPath(t)})
	ctx, cancel := context.WithCancelCause(t.Context())
	over := errors.New("over")
	cancel(over)
	// It may be done before anybody looks, and then it does not fail.
	if err := l.Write(ctx, call("1")); err != nil && !errors.Is(err, over) {
		t.Error(err)
	}
}

// Lines are neither lost nor torn nor doubled while files are rotated.
func TestRotation(t *testing.T) {
	t.Parallel()
	const workers, each, rotations = 8, 300, 20
	path := tempPath(t)
	l := open(t, Options{Path: path, Queue: workers * each})
	var want []string
	var group sync.WaitGroup
	for w := range workers {
		for i := range each {
			want = append(want, fmt.Sprintf("%d-%d", w, i))
		}
		group.Go(func() {
			for i := range each {
				r := call(fmt.Sprintf("%d-%d", w, i))
				if w%2 == 0 {
					l.Offer(r)
				} else if err := l.Write(t.Context(), r); err != nil {
					t.Error(err)
				}
			}
		})
	}
	old := make([][]byte, rotations)
	for i := range rotations {
		if err := os.Rename(path, fmt.Sprint(path, i)); err != nil {
			t.Fatal(err)
		}
		if err := l.Reopen(); err != nil {
			t.Fatal(err)
		}
		old[i] = read(t, fmt.Sprint(path, i))
	}
	group.Wait()
	mustClose(t, l)
	got := ids(t, read(t, path))
	for i := range rotations {
		text := read(t, fmt.Sprint(path, i))
		if !bytes.Equal(text, old[i]) {
			t.Errorf("file %d was written to after the rotation", i)
		}
		got = append(got, ids(t, text)...)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if l.Written() != workers*each || l.Dropped().Callers != 0 || l.Failed() != 0 {
		t.Errorf("written %d, dropped %d, failed %d", l.Written(), l.Dropped().Callers, l.Failed())
	}
}

func TestReopenThatFailsKeepsTheFile(t *testing.T) {
	t.Parallel()
	path := tempPath(t)
	l := open(t, Options{Path: path})
	write := func(id string) {
		t.Helper()
		if err := l.Write(t.Context(), call(id)); err != nil {
			t.Fatal(err)
		}
	}
	write("1")
	if err := errors.Join(os.Rename(path, path+".1"), os.Mkdir(path, 0o700)); err != nil {
		t.Fatal(err)
	}
	err := l.Reopen()
	if refusal, ok := errors.AsType[*Error](err); !ok || refusal.Op != "reopen" || !errors.Is(err, syscall.EISDIR) {
		t.Errorf("%v", err)
	}
	write("2")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	write("3")
	if diff := cmp.Diff([]string{"1", "2"}, ids(t, read(t, path+".1"))); diff != "" {
		t.Errorf("before: -want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"3"}, ids(t, read(t, path))); diff != "" {
		t.Errorf("after: -want +got:\n%s", diff)
	}
}

func TestFileThatEndsInALine(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ before, between string }{
		{"", ""},
		{"{}\n", ""},
		{`{"event":"ca`, "\n"},
	} {
		path := tempPath(t)
		if err := os.WriteFile(path, []byte(test.before), 0o600); err != nil {
			t.Fatal(err)
		}
		l := open(t, Options{Path: path})
		if err := l.Write(t.Context(), call("1")); err != nil {
			t.Fatal(err)
		}
		mustClose(t, l)
		want := test.before + test.between + `{"event":"call","request_id":"1","caller":"one"}` + "\n"
		if got := string(read(t, path)); got != want || l.Written() != 1 {
			t.Errorf("got %q, want %q; written %d", got, want, l.Written())
		}
	}
}
