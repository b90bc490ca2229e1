package audit

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// platter is a disk that takes its time to keep what was written.
type platter struct {
	lockedBuffer
	syncs  atomic.Int32
	synced atomic.Int32 // Bytes.
	fail   atomic.Bool
	takes  atomic.Int32 // How many lines more, and then none: not used if slow is 0.
	slow   time.Duration
}

func (p *platter) Write(b []byte) (int, error) {
	if p.slow > 0 {
		<-time.After(p.slow)
		if p.takes.Add(-1) < 0 {
			return 0, errFaulty
		}
	}
	return p.lockedBuffer.Write(b)
}

func (*platter) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }
func (*platter) Close() error                     { return nil }

func (p *platter) Sync() error {
	written := len(p.String())
	<-time.After(10 * time.Millisecond)
	p.syncs.Add(1)
	if p.fail.Load() {
		return errFaulty
	}
	p.synced.Store(int32(written))
	return nil
}

func onPlatter(t *testing.T, p *platter) *Log {
	t.Helper()
	l, err := start(Options{Path: "platter", Sync: true}, &sink{
		path: "platter", retry: time.Second,
		open: func(string, bool, time.Duration) (stream, bool, error) { return p, false, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close(within(t)) })
	return l
}

// TestSyncedBeforeItReturns: a Write has its line on the disk, and those at the same
// time share the wait for it.
func TestSyncedBeforeItReturns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := new(platter)
		l := onPlatter(t, p)
		const writers = 100
		before := p.syncs.Load()
		var group sync.WaitGroup
		for i := range writers {
			group.Go(func() {
				if err := l.Write(t.Context(), call(fmt.Sprint(i))); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if written := len(p.String()); int(p.synced.Load()) != written {
			t.Errorf("%d of %d bytes are on the disk", p.synced.Load(), written)
		}
		if n := p.syncs.Load() - before; n < 2 || n > 5 {
			t.Errorf("%d syncs for %d writes", n, writers)
		}
		// What was offered is synced when nothing more comes.
		l.Offer(call("offered"))
		synctest.Wait()
		<-time.After(time.Second)
		if written := len(p.String()); int(p.synced.Load()) != written {
			t.Errorf("%d of %d bytes are on the disk", p.synced.Load(), written)
		}
		mustClose(t, l)
	})
}

// TestSyncThatFails: a Write whose line may not be on the disk fails.
func TestSyncThatFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := new(platter)
		l := onPlatter(t, p)
		p.fail.Store(true)
		if err := l.Write(t.Context(), call("1")); !errors.Is(err, errFaulty) {
			t.Errorf("%v", err)
		}
		if err := l.Failing(); !errors.Is(err, errFaulty) {
			t.Errorf("it does not say that it fails: %v", err)
		}
		p.fail.Store(false)
		<-time.After(2 * time.Second) // It has tried by itself, and shows it.
		synctest.Wait()
		if err := l.Failing(); err != nil {
			t.Errorf("it still fails: %v", err)
		}
		if lines := linesOf(t, p.String()); lines[len(lines)-1].Event != EventResumed {
			t.Errorf("the last line is %+v", lines[len(lines)-1])
		}
		mustClose(t, l)
	})
}

// TestNobodyWaitsForADiskThatFails: however many Writes fail, slowly, and whatever comes
// next, the one that was written before them is answered, and the file can be rotated.
func TestNobodyWaitsForADiskThatFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &platter{slow: 400 * time.Millisecond}
		p.takes.Store(1)
		l := onPlatter(t, p)
		var group sync.WaitGroup
		group.Go(func() {
			if err := l.Write(t.Context(), call("first")); err != nil {
				t.Errorf("what was written: %v", err)
			}
		})
		synctest.Wait() // It is being written.
		var over atomic.Bool
		for range 20 {
			group.Go(func() {
				for !over.Load() {
					if err := l.Write(t.Context(), call("refused")); err == nil {
						t.Error("it was refused, and counts")
					}
				}
			})
		}
		<-time.After(10 * time.Second)
		for range 20 {
			if err := l.Reopen(); err != nil {
				t.Error(err)
			}
		}
		over.Store(true)
		group.Wait()
		mustClose(t, l)
	})
}

// TestSyncOfAFile, and of what is none.
func TestSyncOfAFile(t *testing.T) {
	t.Parallel()
	path := tempPath(t)
	l := open(t, Options{Path: path, Sync: true})
	if err := l.Write(t.Context(), call("1")); err != nil {
		t.Error(err)
	}
	if got := ids(t, read(t, path)); len(got) != 1 {
		t.Errorf("%q", got)
	}
	for _, options := range []Options{{Path: "/dev/null", Sync: true}, {Stdout: new(lockedBuffer), Sync: true}} {
		if _, err := Open(options); err == nil {
			t.Errorf("%q cannot be synced, and was opened", options.Path)
		}
	}
}

// TestHangingSinkIsSeen: a sink that does not return from a write fails, for who asks.
func TestHangingSinkIsSeen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := &stuck{gate: make(chan struct{})}
		l := open(t, Options{Stdout: out})
		l.Offer(call("1"))
		synctest.Wait()
		if err := l.Failing(); err != nil {
			t.Errorf("too soon: %v", err)
		}
		<-time.After(3 * time.Second)
		if err := l.Failing(); !errors.Is(err, errHangs) {
			t.Errorf("%v", err)
		}
		close(out.gate)
		mustClose(t, l)
		if err := l.Failing(); err != nil {
			t.Error(err)
		}
	})
}
