package audit

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// platter is a file on a disk that takes its time to keep what was written.
type platter struct {
	faulty
	slow   time.Duration // Of a write.
	syncs  atomic.Int32
	synced atomic.Int32 // Bytes.
	fail   atomic.Bool
}

func (*platter) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }
func (*platter) Close() error                     { return nil }

func (p *platter) Write(b []byte) (int, error) {
	if p.slow > 0 {
		<-time.After(p.slow)
	}
	return p.faulty.Write(b)
}

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

// hasAll fails unless all that was written is on the disk.
func (p *platter) hasAll(t *testing.T) {
	t.Helper()
	if written := len(p.String()); int(p.synced.Load()) != written {
		t.Errorf("%d of %d bytes are on the disk", p.synced.Load(), written)
	}
}

// onPlatter opens a log on a path that is another file each time that it is opened.
func onPlatter(t *testing.T, files ...*platter) *Log {
	t.Helper()
	opened := 0
	l, err := start(Options{Path: "platter", Sync: true}, &sink{
		path: "platter", retry: time.Second,
		open: func(string, bool, time.Duration) (stream, bool, error) {
			if opened == len(files) {
				return nil, false, os.ErrNotExist
			}
			opened++
			return files[opened-1], false, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close(within(t)) })
	return l
}

// counted fails unless the counters say so.
func counted(t *testing.T, l *Log, written, failed uint64) {
	t.Helper()
	if l.Written() != written || l.Failed() != failed {
		t.Errorf("written %d, failed %d; want %d, %d", l.Written(), l.Failed(), written, failed)
	}
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
		p.hasAll(t)
		counted(t, l, writers, 0)
		if n := p.syncs.Load() - before; n < 2 || n > 5 {
			t.Errorf("%d syncs for %d writes", n, writers)
		}
		// What was offered is synced when nothing more comes.
		l.Offer(call("offered"))
		lingered() // It is written, and not synced yet.
		counted(t, l, writers, 0)
		<-time.After(time.Second)
		p.hasAll(t)
		counted(t, l, writers+1, 0)
		mustClose(t, l)
	})
}

// TestSyncThatFails: a Write whose line may not be on the disk fails, and one that was
// offered is lost: neither counts as written.
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
		counted(t, l, 0, 1)
		l.Offer(call("2"))
		<-time.After(1500 * time.Millisecond) // It has tried by itself.
		synctest.Wait()
		counted(t, l, 0, 2)
		p.fail.Store(false)
		<-time.After(2 * time.Second) // It has tried by itself, and shows it.
		synctest.Wait()
		if err := l.Failing(); err != nil {
			t.Errorf("it still fails: %v", err)
		}
		if lines := linesOf(t, p.String()); lines[len(lines)-1].Event != EventResumed {
			t.Errorf("the last line is %+v", lines[len(lines)-1])
		}
		l.Offer(call("3"))
		mustClose(t, l)
		counted(t, l, 1, 2)
	})
}

// TestAnotherFileComesAfterASync: what was written to a file is synced before the next
// one takes its place, by request or because the file has failed, and lost if that
// fails.
func TestAnotherFileComesAfterASync(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		plan            []int
		reopen, fails   bool
		written, failed uint64
	}{
		"by request":                   {reopen: true, written: 3},
		"by request, and it fails":     {reopen: true, fails: true, written: 2, failed: 1},
		"in a line":                    {plan: []int{10}, reopen: true, written: 3},
		"in a line, and it fails":      {plan: []int{10}, reopen: true, fails: true, written: 2, failed: 1},
		"after a failure":              {plan: []int{pipeBytes, -1}, written: 3},
		"after a failure, and another": {plan: []int{pipeBytes, -1}, fails: true, written: 2, failed: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				before, after := &platter{slow: 100 * time.Millisecond}, new(platter)
				before.plan = test.plan
				l := onPlatter(t, before, after)
				before.fail.Store(test.fails)
				for i := range 3 {
					r := call(fmt.Sprint(i))
					r.Projects = slices.Repeat([]string{strings.Repeat("p", 90)}, 30) // Of two, each takes a write.
					l.Offer(r)
					if test.reopen == (i == 0) && i < 2 {
						lingered() // The first is being written, alone or with the second.
					}
				}
				if test.reopen {
					if err := l.Reopen(); err != nil {
						t.Error(err)
					}
				} else {
					<-time.After(5 * time.Second)
				}
				if !test.fails {
					before.hasAll(t)
				}
				mustClose(t, l)
				after.hasAll(t)
				if old, recent := ids(t, []byte(before.String())), ids(t, []byte(after.String())); len(old) != 1 || len(recent) != 2 {
					t.Errorf("%q, then %q", old, recent)
				}
				counted(t, l, test.written, test.failed)
			})
		})
	}
}

// TestSyncOfALineThatWasCutOff: it is synced as well once it is whole, without another
// record.
func TestSyncOfALineThatWasCutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := new(platter)
		p.plan = []int{10}
		l := onPlatter(t, p)
		l.Offer(call("1"))
		<-time.After(5 * time.Second)
		p.hasAll(t)
		counted(t, l, 1, 0)
		mustClose(t, l)
	})
}

// TestCloseSaysWhatASyncLost: accepted records that are not on the disk are lost.
func TestCloseSaysWhatASyncLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &platter{slow: 100 * time.Millisecond}
		l := onPlatter(t, p)
		p.fail.Store(true)
		l.Offer(call("1"))
		l.Offer(call("2"))
		lingered() // They are being written.
		if err := l.Close(within(t)); !errors.Is(err, errFaulty) || !strings.Contains(err.Error(), "records lost: 2") {
			t.Errorf("%v", err)
		}
		counted(t, l, 0, 2)
	})
}

// TestNobodyWaitsForADiskThatFails: however many Writes fail, slowly, and whatever comes
// next, the one that was written before them is answered, and the file can be rotated.
func TestNobodyWaitsForADiskThatFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &platter{slow: 400 * time.Millisecond}
		p.plan = append([]int{1000}, slices.Repeat([]int{-1}, 1000)...)
		l := onPlatter(t, slices.Repeat([]*platter{p}, 1000)...)
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
		lingered()
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
