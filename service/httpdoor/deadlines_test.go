package httpdoor

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

// told is a connection that is told its deadlines. Its reads wait for them.
type told struct {
	net.Conn
	reads, writes []time.Time
}

func (c *told) SetReadDeadline(t time.Time) error {
	c.reads = append(c.reads, t)
	return nil
}

func (c *told) SetWriteDeadline(t time.Time) error {
	c.writes = append(c.writes, t)
	return nil
}

const slack = time.Second

// request sets the deadlines that net/http sets for a request that is there, at a time,
// and waits for the next one.
func (d *deadlines) request(t *testing.T, c net.Conn, known bool, now time.Time) {
	t.Helper()
	var failed error
	set := func(err error) { failed = errors.Join(failed, err) }
	set(d.setRead(c, known, now.Add(10*time.Second)))  // of the header
	set(d.setRead(c, known, now.Add(2*time.Minute)))   // of the request
	set(d.setWrite(c, known, now.Add(3*time.Minute)))  // of the answer
	set(d.setRead(c, known, time.Unix(1, 0)))          // the end of the read in the background
	set(d.setRead(c, known, time.Time{}))              // after that
	set(d.setRead(c, known, now.Add(100*time.Second))) // of a connection without requests
	set(d.begin(c))
	d.end()
	if failed != nil {
		t.Fatal(failed)
	}
}

// TestDeadlinesOfStrangers: each is set, exactly and at once.
func TestDeadlinesOfStrangers(t *testing.T) {
	t.Parallel()
	c, d, now := new(told), &deadlines{slack: slack}, time.Now()
	d.request(t, c, false, now)
	d.request(t, c, false, now.Add(slack/2))
	if len(c.reads) != 10 || len(c.writes) != 2 || !c.writes[1].Equal(now.Add(slack/2+3*time.Minute)) {
		t.Errorf("reads %v, writes %v", c.reads, c.writes)
	}
}

// TestDeadlinesOfCallers: what is in force is never later than what is wanted, and
// earlier by the slack at most.
func TestDeadlinesOfCallers(t *testing.T) {
	t.Parallel()
	c, d, now := new(told), &deadlines{slack: slack}, time.Now()
	for range 3 {
		d.request(t, c, true, now)
		now = now.Add(slack / 2)
	}
	if len(c.reads) != 1 || len(c.writes) != 1 {
		t.Fatalf("within the slack: reads %v, writes %v", c.reads, c.writes)
	}
	d.request(t, c, true, now)
	if len(c.reads) != 2 || len(c.writes) != 2 || !c.reads[1].Equal(now.Add(100*time.Second)) || !c.writes[1].Equal(now.Add(3*time.Minute)) {
		t.Errorf("after the slack: reads %v, writes %v", c.reads, c.writes)
	}
	for _, other := range []time.Time{now.Add(time.Minute), {}, now} { // Earlier, none, again one.
		before := len(c.reads)
		if err := errors.Join(d.setRead(c, true, other), d.begin(c)); err != nil {
			t.Fatal(err)
		}
		d.end()
		if len(c.reads) != before+1 || !c.reads[before].Equal(other) {
			t.Errorf("%s: %v", other, c.reads)
		}
	}
}

// TestAReadThatWaits: it ends with a deadline that is set while it waits.
func TestAReadThatWaits(t *testing.T) {
	t.Parallel()
	mine, theirs := net.Pipe()
	defer func() { _ = mine.Close(); _ = theirs.Close() }()
	d := &deadlines{slack: slack}
	if err := d.begin(mine); err != nil {
		t.Fatal(err)
	}
	read := make(chan error, 1)
	go func() {
		defer d.end()
		_, err := mine.Read(make([]byte, 1))
		read <- err
	}()
	if err := d.setRead(mine, true, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if err := <-read; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	if err := d.begin(mine); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the next read: %v", err)
	}
}
