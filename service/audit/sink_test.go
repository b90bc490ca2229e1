package audit

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// disk is a path at which there is another file each time that it is opened.
type disk struct {
	files  []*faulty
	hang   chan struct{} // When not nil, what opens waits for it.
	opened atomic.Int32
	closed atomic.Int32
	made   atomic.Int32
}

func (d *disk) open(_ string, create bool, _ time.Duration) (stream, bool, error) {
	if d.hang != nil {
		<-d.hang
	}
	if create {
		d.made.Add(1)
	}
	n := int(d.opened.Add(1))
	if n > len(d.files) {
		return nil, false, os.ErrNotExist
	}
	return &onDisk{plain{d.files[n-1]}, d}, false, nil
}

type onDisk struct {
	plain
	disk *disk
}

func (o *onDisk) Close() error {
	o.disk.closed.Add(1)
	return nil
}

func started(t *testing.T, d *disk) *Log {
	t.Helper()
	l, err := start(Options{Path: "disk"}, &sink{path: "disk", open: d.open, retry: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A line that was cut off is completed in its own file, or in none.
func TestRotationInALine(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		old      []int // What the old file takes.
		offered  bool
		old1     []string
		torn     bool
		failed   uint64
		rotation []string
	}{
		{name: "that can be completed", old: []int{10, 1000}, old1: []string{"1"}, failed: 1, rotation: []string{"2"}},
		{name: "that cannot", old: []int{10, -1, -1, -1}, torn: true, failed: 1, rotation: []string{"2"}},
		{name: "that was offered", old: []int{10, -1, -1, -1}, offered: true, torn: true, failed: 1, rotation: []string{"2"}},
		{name: "that was not begun", old: []int{-1, -1, -1}, offered: true, rotation: []string{"1", "2"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &disk{files: []*faulty{{plan: test.old}, {}}}
				l := started(t, d)
				if test.offered {
					l.Offer(call("1"))
					lingered()
				} else if err := l.Write(t.Context(), call("1")); !errors.Is(err, errFaulty) {
					t.Error(err)
				}
				if err := l.Reopen(); err != nil {
					t.Error(err)
				}
				if err := l.Write(t.Context(), call("2")); err != nil {
					t.Error(err)
				}
				mustClose(t, l)
				if test.torn {
					if text := d.files[0].String(); len(text) != 10 {
						t.Errorf("the old file holds %q", text)
					}
				} else if diff := cmp.Diff(test.old1, ids(t, []byte(d.files[0].String()))); diff != "" {
					t.Errorf("old: -want +got:\n%s", diff)
				}
				if diff := cmp.Diff(test.rotation, ids(t, []byte(d.files[1].String()))); diff != "" {
					t.Errorf("new: -want +got:\n%s", diff)
				}
				if l.Failed() != test.failed || d.opened.Load() != 2 || d.closed.Load() != 2 || d.made.Load() != 2 {
					t.Errorf("failed %d, opened %d, closed %d, made %d", l.Failed(), d.opened.Load(), d.closed.Load(), d.made.Load())
				}
			})
		})
	}
}

// However often Write is called, a path is opened once a second; and no other
// file is made.
func TestOpensSparingly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &disk{files: []*faulty{{plan: make([]int, 1000)}}}
		l := started(t, d)
		for second := range 5 {
			for range 10 {
				if err := l.Write(t.Context(), call("refused")); !errors.Is(err, errFaulty) {
					t.Error(err)
				}
			}
			if d.opened.Load() != int32(second+1) || d.made.Load() != 1 || d.closed.Load() != 0 {
				t.Errorf("after %d s: opened %d, made %d, closed %d", second, d.opened.Load(), d.made.Load(), d.closed.Load())
			}
			<-time.After(time.Second)
			synctest.Wait() // It has tried by itself.
		}
		mustClose(t, l)
	})
}

// A line that is cut off at the end is completed, or counted.
func TestCloseInALine(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		plan    []int
		written uint64
		failed  uint64
	}{
		{[]int{10, 4}, 0, 1},
		{[]int{10, 1000}, 1, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			out := &faulty{plan: test.plan}
			l := open(t, Options{Stdout: out})
			l.Offer(call("1"))
			lingered()
			if err := l.Close(within(t)); (err != nil) != (test.failed > 0) {
				t.Error(err)
			}
			if l.Written() != test.written || l.Failed() != test.failed {
				t.Errorf("%v: written %d, failed %d: %s", test.plan, l.Written(), l.Failed(), out.String())
			}
		})
	}
}

// A sink that is merely slow is waited for.
func TestCloseOfASlowSink(t *testing.T) {
	t.Parallel()
	out := &faulty{plan: []int{-1, -1, 10, -1, -1}, err: os.ErrDeadlineExceeded}
	l := open(t, Options{Stdout: out})
	l.Offer(call("1"))
	l.Offer(call("2"))
	mustClose(t, l)
	if diff := cmp.Diff([]string{"1", "2"}, ids(t, []byte(out.String()))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// An open that hangs, as on a file system that is gone, delays no caller.
func TestOpenThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &disk{files: []*faulty{{}, {}}}
		l := started(t, d)
		d.hang = make(chan struct{})
		begin := time.Now()
		for i := range 2 {
			if err := l.Reopen(); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error(err)
			}
			if err := l.Write(t.Context(), call(fmt.Sprint(i))); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error(err)
			}
		}
		if took := time.Since(begin); took != 4*time.Second {
			t.Errorf("took %v", took)
		}
		close(d.hang)
		if err := l.Write(t.Context(), call("2")); err != nil {
			t.Error(err)
		}
		mustClose(t, l)
		if diff := cmp.Diff([]string{"2"}, ids(t, []byte(d.files[1].String()))); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}
