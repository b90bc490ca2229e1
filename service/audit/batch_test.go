package audit

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// counting counts the writes, and keeps each.
type counting struct {
	lockedBuffer
	writes []int // Their lengths.
}

// Write implements [io.Writer].
func (c *counting) Write(p []byte) (int, error) {
	c.writes = append(c.writes, len(p))
	if p[len(p)-1] != '\n' {
		panic("a write ends in the middle of a line")
	}
	return c.lockedBuffer.Write(p)
}

// numbers are the ids of so many records.
func numbers(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprint(i))
	}
	return all
}

// TestOfferedRecordsAreWrittenTogether: in their order, and none is written later than
// it may; to a pipe in writes that it takes whole.
func TestOfferedRecordsAreWrittenTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 400
		out := new(counting)
		l := open(t, Options{Stdout: out})
		for _, id := range numbers(n) {
			l.Offer(call(id))
		}
		synctest.Wait()
		if l.Written() != 0 {
			t.Errorf("%d are written at once", l.Written())
		}
		<-time.After(lingerTime)
		synctest.Wait()
		if got := ids(t, []byte(out.String())); !slices.Equal(got, numbers(n)) || l.Written() != n {
			t.Errorf("%d counted, written: %q", l.Written(), got)
		}
		if len(out.writes) > n/10 || slices.Max(out.writes) > pipeBytes {
			t.Errorf("writes of %d bytes", out.writes)
		}
		// Those of a Write do not linger.
		if err := l.Write(t.Context(), call("required")); err != nil || !strings.Contains(out.String(), `"required"`) {
			t.Errorf("%v", err)
		}
		mustClose(t, l)
	})
}

// TestABatchDoesNotLinger: records that fill a batch, or half of their queue, are
// written at once.
func TestABatchDoesNotLinger(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		options Options
		record  Record
		n       int
	}{
		"bytes":               {Options{}, Record{Event: EventCall, Caller: "ann", Reason: strings.Repeat("r", 200)}, 300},
		"half of the queue":   {Options{Queue: 10}, Record{Event: EventCall, Caller: "ann"}, 5},
		"half of the strange": {Options{StrangersQueue: 10}, Record{Event: EventCall}, 5},
	} {
		synctest.Test(t, func(t *testing.T) {
			out := new(counting)
			test.options.Stdout = out
			l := open(t, test.options)
			for range test.n - 1 {
				l.Offer(&test.record)
			}
			synctest.Wait()
			if name != "bytes" && l.Written() != 0 {
				t.Errorf("%s: %d are written at once", name, l.Written())
			}
			l.Offer(&test.record)
			synctest.Wait()
			if l.Written() == 0 {
				t.Errorf("%s: none is written", name)
			}
			mustClose(t, l)
			if l.Written() != uint64(test.n) || l.Dropped() != (Queues{}) {
				t.Errorf("%s: %d of %d are written, %+v dropped", name, l.Written(), test.n, l.Dropped())
			}
		})
	}
}

// TestAFileTakesABatchAtOnce: 64 KiB of it.
func TestAFileTakesABatchAtOnce(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/audit"
	out, _, err := openPath(path, true, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	s := new(sink)
	s.use(out)
	var batch []*entry
	for range 300 {
		e := new(entry)
		e.text, e.lines = call(strings.Repeat("i", 30)).AppendLines(nil)
		batch = append(batch, e)
	}
	all := bytes.Repeat(batch[0].text, len(batch))
	if piece := s.piece(batch, 0); !bytes.Equal(piece, all[:len(piece)]) || len(piece) != len(all) {
		t.Errorf("a write of %d bytes of %d", len(piece), len(all))
	}
	if s.use(plain{new(counting)}); len(s.piece(batch, 5)) > pipeBytes || !bytes.HasPrefix(all[5:], s.piece(batch, 5)) {
		t.Errorf("a write of %d bytes to what is not known to be a file", len(s.piece(batch, 5)))
	}
}

// TestASlowSinkTakesRecords: a deadline that passes in a batch of which some is written
// is not a failure, and nothing is written twice.
func TestASlowSinkTakesRecords(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 40
		line := len(`{"event":"call","request_id":"10","caller":"one"}` + "\n")
		out := &faulty{plan: slices.Repeat([]int{(line*5/2 + 1) / 2 * 2}, 15), err: os.ErrDeadlineExceeded}
		var logged lockedBuffer
		l := open(t, Options{Stdout: out, Logger: logged.logger()})
		for _, id := range numbers(n) {
			l.Offer(call(id))
		}
		lingered()
		if got := ids(t, []byte(out.String())); !slices.Equal(got, numbers(n)) || l.Written() != n {
			t.Errorf("%d counted, written: %q", l.Written(), got)
		}
		if logged.String() != "" || l.Failing() != nil {
			t.Errorf("it counts as a failure: %v: %s", l.Failing(), logged.String())
		}
		mustClose(t, l)
	})
}
