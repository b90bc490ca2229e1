package audit

import (
	"bytes"
	stdcmp "cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// lockedBuffer is a buffer that the log may be writing to.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (b *lockedBuffer) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// stuck is a writer that hangs, as one in the kernel, until it is let go.
type stuck struct {
	lockedBuffer
	gate chan struct{}
}

func (s *stuck) Write(p []byte) (int, error) {
	<-s.gate
	return s.lockedBuffer.Write(p)
}

// Nobody waits longer than he has to for a sink that hangs, and nothing piles up.
func TestSinkThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := &stuck{gate: make(chan struct{})}
		var logged lockedBuffer
		l := open(t, Options{Stdout: out, Queue: 3, Logger: logged.logger()})
		l.Offer(call("first"))
		lingered() // The writer has it, and hangs.
		for i := range 10 {
			l.Offer(call(fmt.Sprint(i)))
		}
		if l.Dropped().Callers != 7 {
			t.Errorf("dropped %d, want 7", l.Dropped().Callers)
		}

		start := time.Now()
		var group sync.WaitGroup
		for range 5 {
			group.Go(func() {
				if err := l.Write(context.Background(), call("refused")); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("write: %v", err)
				}
			})
		}
		group.Wait()
		if took := time.Since(start); took != time.Second {
			t.Errorf("writes took %v", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if err := l.Write(ctx, call("refused")); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second+10*time.Millisecond {
			t.Errorf("write: %v after %v", err, time.Since(start))
		}

		// Once a minute the log hears of what is dropped.
		if n := strings.Count(logged.String(), "dropped"); n != 2 { // Message and count.
			t.Errorf("logged: %s", logged.String())
		}
		<-time.After(time.Minute)
		l.Offer(call("late"))
		l.Offer(call("late"))
		if n := strings.Count(logged.String(), "\n"); n != 2 || !strings.Contains(logged.String(), "dropped=8") {
			t.Errorf("logged: %s", logged.String())
		}

		start = time.Now()
		ctx, cancel = context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := l.Close(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 5*time.Second {
			t.Errorf("close: %v after %v", err, time.Since(start))
		}
		// It moves again, too late: what is not written by then is lost, and
		// counted.
		close(out.gate)
		err := l.Close(within(t))
		got := ids(t, []byte(out.String()))
		lost := 4 - len(got)
		if diff := cmp.Diff([]string{"first", "0", "1", "2"}[:len(got)], got); diff != "" || len(got) == 0 {
			t.Errorf("-want +got:\n%s", diff)
		}
		if told := strings.Contains(fmt.Sprint(err), fmt.Sprint("records lost: ", lost)); told != (lost > 0) {
			t.Errorf("close: %v, and %d were lost", err, lost)
		}
		if l.Written() != uint64(len(got)) || l.Failed() != uint64(6+lost) || l.Dropped().Callers != 9 {
			t.Errorf("written %d, failed %d, dropped %d", l.Written(), l.Failed(), l.Dropped().Callers)
		}
	})
}

// A sink that moves again loses nothing that was accepted.
func TestSinkThatMovesAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := &stuck{gate: make(chan struct{})}
		l := open(t, Options{Stdout: out, Queue: 3})
		for i := range 4 {
			l.Offer(call(fmt.Sprint(i)))
			lingered()
		}
		if err := l.Write(t.Context(), call("refused")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("write: %v", err)
		}
		close(out.gate)
		if err := l.Write(t.Context(), call("4")); err != nil {
			t.Error(err)
		}
		mustClose(t, l)
		got := ids(t, []byte(out.String()))
		slices.Sort(got)
		if diff := cmp.Diff([]string{"0", "1", "2", "3", "4"}, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// What is offered to a sink that fails waits for it, and is tried once a second.
func TestRetryOfWhatWasOffered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := &faulty{plan: []int{-1, -1, -1, 5, -1}}
		var logged lockedBuffer
		l := open(t, Options{Stdout: out, Logger: logged.logger()})
		l.Offer(call("1"))
		l.Offer(call("2"))
		lingered()
		start := time.Now()
		for l.Written() < 2 {
			<-time.After(time.Second)
			synctest.Wait()
		}
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("after %v", took)
		}
		if diff := cmp.Diff([]string{"1", "2"}, ids(t, []byte(out.String()))); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if strings.Count(logged.String(), "\n") != 2 {
			t.Errorf("logged: %s", logged.String())
		}
		mustClose(t, l)
	})
}

// faulty is a sink that takes as many bytes of each write as planned, -1 for
// none, and all of them once the plan is done.
type faulty struct {
	lockedBuffer
	plan []int
	err  error // Or errFaulty.
}

var errFaulty = errors.New("faulty")

func (f *faulty) Write(p []byte) (int, error) {
	n := len(p)
	if len(f.plan) > 0 {
		n, f.plan = max(0, min(n, f.plan[0])), f.plan[1:]
	}
	_, _ = f.lockedBuffer.Write(p[:n])
	switch {
	case n == len(p):
		return n, nil
	case n%2 == 1:
		return n, nil // Against the rules of io.Writer; not to be relied on.
	default:
		return n, stdcmp.Or(f.err, errFaulty)
	}
}

// However a sink cuts lines off, they come out whole; what was written or
// accepted is there once, and nothing is there twice.
func TestFaultySink(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		plan := rapid.SliceOfN(rapid.OneOf(rapid.Just(-1), rapid.IntRange(0, 40), rapid.Just(1000)), 0, 30).Draw(rt, "plan")
		calls := rapid.SliceOfN(rapid.Bool(), 1, 30).Draw(rt, "writes")
		synctest.Test(t, func(t *testing.T) {
			out := &faulty{plan: plan}
			l := open(t, Options{Stdout: out, Queue: 30})
			var must, may []string
			for i, write := range calls {
				id := fmt.Sprint(i)
				if !write {
					l.Offer(call(id))
					must = append(must, id)
				} else if err := l.Write(t.Context(), call(id)); err == nil {
					must = append(must, id)
				} else {
					if !errors.Is(err, errFaulty) && !errors.Is(err, io.ErrShortWrite) {
						rt.Errorf("write: %v", err)
					}
					may = append(may, id)
				}
			}
			<-time.After(time.Hour) // It tries until it is done.
			mustClose(t, l)
			got := ids(t, []byte(out.String()))
			if uint64(len(got)) != l.Written() {
				rt.Errorf("%d lines, %d counted", len(got), l.Written())
			}
			for _, id := range must {
				i := slices.Index(got, id)
				if i < 0 {
					rt.Fatalf("%s is missing of %s", id, got)
				}
				got = slices.Delete(got, i, i+1)
			}
			for _, id := range got {
				i := slices.Index(may, id)
				if i < 0 {
					rt.Fatalf("%s is there once more", id)
				}
				may = slices.Delete(may, i, i+1)
			}
		})
		if t.Failed() {
			rt.FailNow()
		}
	})
}
