package connguard

import (
	"net"
	"sync"
)

const (
	// requestsAhead is how many requests of an anonymous connection may be under way,
	// health checks apart. A client whose credential is good needs one: the others are
	// read as soon as it is authenticated.
	requestsAhead = 4
	// probesAhead is how many may be with the health checks. A client may watch some
	// services before its first call.
	probesAhead = 8
	// bytesAhead is how much is read of an anonymous connection while requests are under
	// way, on top of a header. They are refused unread, so what is read for them waits in
	// memory.
	bytesAhead = 64 << 10
)

// ahead bounds what is read of an anonymous connection before its requests have ended.
// A client that does not wait for its answers can send requests, and take them back,
// faster than they are begun (CVE-2023-44487), and what the server has for each of them
// outlives the request.
type ahead struct {
	mu       sync.Mutex
	requests int // under way, health checks apart
	probes   int // health checks under way
	bytes    int // read since there were no requests under way
	most     int // bytes
	// wake has a token when there may be room. One goroutine reads of a connection.
	wake chan struct{}
}

// begin takes a place for a request, unless there is none.
func (a *ahead) begin() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.requests >= requestsAhead || a.requests+a.probes >= probesAhead {
		return false
	}
	a.requests++
	return true
}

// probe counts a request as a health check, which is to be followed by probed.
func (a *ahead) probe() {
	a.end()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.probes++
}

// probed counts a health check as a request again, which is to be followed by end.
func (a *ahead) probed() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.probes--
	a.requests++
}

// end gives the place of a request back. A request that took none changes nothing:
// a server that takes one after the other has none ahead.
func (a *ahead) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.requests > 0 {
		a.requests--
	}
	if a.requests == 0 {
		a.bytes = 0
	}
	a.signal()
}

// take takes some of n bytes: none where there is no room.
func (a *ahead) take(n int) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.requests == 0 {
		return n
	}
	n = min(n, a.most-a.bytes)
	a.bytes += n
	return n
}

// signal wakes the reader.
func (a *ahead) signal() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// Known returns whether a call on the connection was authenticated: then Begin and
// Take wait for nothing, for good.
func (c *Conn) Known() bool { return c.known.Load() }

// Begin is for a server that reads requests while others are under way, before it
// reads one, and is to be followed by Ended. On an anonymous connection it waits while
// there are too many. The wait ends with the connection, which ends when its first
// authenticated call is due; the error is [net.ErrClosed].
//
// One goroutine at a time may call Begin and Take.
func (c *Conn) Begin() error {
	return c.wait(c.ahead.begin)
}

// Take is for such a server before it reads n bytes, at least 1: it returns how many of
// them it may read, and they count as read. On an anonymous connection with requests under way it waits as
// Begin does.
func (c *Conn) Take(n int) (int, error) {
	taken := n
	err := c.wait(func() bool {
		taken = c.ahead.take(n)
		return taken > 0
	})
	return taken, err
}

// wait waits until an anonymous connection may go on.
func (c *Conn) wait(goesOn func() bool) error {
	for !c.known.Load() {
		if c.held.Load() {
			<-c.closed // As in Read.
			return net.ErrClosed
		}
		if goesOn() {
			return nil
		}
		select {
		case <-c.ahead.wake:
		case <-c.closed:
			return net.ErrClosed
		}
	}
	return nil
}
