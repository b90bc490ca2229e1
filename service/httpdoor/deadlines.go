package httpdoor

import (
	"net"
	"os"
	"sync"
	"time"
)

// deadlines are those of a connection. net/http sets six for each request, most of
// which are over before anything waits: each changes a timer of the runtime. Of a caller
// whose credential is known, a deadline is set when something waits that it could end,
// and not again while the one in force is at most slack earlier. Strangers have theirs
// exactly, and at once.
type deadlines struct {
	slack time.Duration

	mu      sync.Mutex
	read    deadline
	reading int // reads that wait
	write   deadline
}

// deadline is what the server wants, and what the system knows.
type deadline struct{ wanted, inForce time.Time }

// holds says whether what is in force will do.
func (d *deadline) holds(slack time.Duration) bool {
	if d.wanted.IsZero() || d.inForce.IsZero() {
		return d.wanted.Equal(d.inForce)
	}
	early := d.wanted.Sub(d.inForce)
	return early >= 0 && early <= slack
}

// apply sets what is wanted.
func (d *deadline) apply(set func(time.Time) error) error {
	d.inForce = d.wanted
	return set(d.wanted)
}

// interrupted says that a deadline is one by which a server ends a read at once: it is
// decades ago.
func interrupted(t time.Time) bool { return !t.IsZero() && t.Year() < 2000 }

// setRead wants a deadline for reads, those that wait among them.
func (d *deadlines) setRead(c net.Conn, known bool, t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.read.wanted = t
	if known && d.reading == 0 {
		return nil // The next read sets it.
	}
	return d.read.apply(c.SetReadDeadline)
}

// setWrite wants a deadline for writes.
func (d *deadlines) setWrite(c net.Conn, known bool, t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.write.wanted = t
	if known && d.write.holds(d.slack) {
		return nil
	}
	return d.write.apply(c.SetWriteDeadline)
}

// begin begins a read, which is to be ended unless there is an error.
func (d *deadlines) begin(c net.Conn) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if interrupted(d.read.wanted) {
		return os.ErrDeadlineExceeded
	}
	if !d.read.holds(d.slack) {
		if err := d.read.apply(c.SetReadDeadline); err != nil {
			return err
		}
	}
	d.reading++
	return nil
}

// end ends a read.
func (d *deadlines) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reading--
}
