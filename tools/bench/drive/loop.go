package drive

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

const (
	readBuffer = 64 << 10
	// spin is how long before a call is due the loop no longer sleeps: a timer of the
	// kernel is late by about as much as a cached answer takes.
	spin = 2 * time.Millisecond
	// longestSleep bounds a wait without an event.
	longestSleep = 100 * time.Millisecond
)

// conn is a connection. Its codec has the calls in flight.
type conn struct {
	fd    int
	codec codec
	out   []byte // What the socket did not take yet.
}

// loop is a run.
type loop struct {
	plan   Plan
	poll   int
	random *rand.Rand
	conns  []*conn
	byFD   map[int32]*conn
	times  []time.Duration

	begin      time.Time
	due        time.Duration // Of the next call, since the beginning.
	sent       int
	answered   int
	lastAnswer time.Duration
	waiting    []time.Duration // When the calls were due that no connection could take.
	nextConn   int
	buffer     [readBuffer]byte
	events     [64]unix.EpollEvent
}

// open connects to the server.
func (l *loop) open(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	address, err := netip.ParseAddrPort(l.plan.Address)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	c := &conn{fd: fd, codec: l.plan.Protocol.newCodec(l.plan.Streams)}
	l.conns = append(l.conns, c)
	l.byFD[int32(fd)] = c
	if err := errors.Join(
		unix.Connect(fd, &unix.SockaddrInet4{Port: int(address.Port()), Addr: address.Addr().As4()}),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		unix.SetNonblock(fd, true),
		unix.EpollCtl(l.poll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}),
	); err != nil {
		return err
	}
	return l.write(c, c.codec.greeting())
}

func (l *loop) close() {
	for _, c := range l.conns {
		_ = unix.Close(c.fd)
	}
}

// run makes all calls.
func (l *loop) run(ctx context.Context) (time.Duration, error) {
	l.begin = time.Now()
	for l.answered < l.plan.Calls {
		now := time.Since(l.begin)
		if err := l.send(now); err != nil {
			return 0, err
		}
		if err := l.receive(l.sleep(now)); err != nil {
			return 0, err
		}
		if err := ctx.Err(); err != nil {
			return 0, context.Cause(ctx)
		}
		if now-max(l.lastAnswer, l.due) > patience {
			return 0, fmt.Errorf("%w: %d of %d are answered", ErrSilent, l.answered, l.plan.Calls)
		}
	}
	return l.lastAnswer, nil
}

// send sends the calls that are due.
func (l *loop) send(now time.Duration) error {
	if l.plan.Rate == 0 {
		for l.sent < l.plan.Calls {
			ok, err := l.dispatch(time.Since(l.begin))
			if err != nil || !ok {
				return err
			}
		}
		return nil
	}
	for l.sent+len(l.waiting) < l.plan.Calls && l.due <= now {
		l.waiting = append(l.waiting, l.due)
		l.due += time.Duration(l.random.ExpFloat64() / l.plan.Rate * float64(time.Second))
	}
	var n int
	for ; n < len(l.waiting); n++ {
		ok, err := l.dispatch(l.waiting[n])
		if err != nil {
			return err
		}
		if !ok {
			break
		}
	}
	l.waiting = append(l.waiting[:0], l.waiting[n:]...)
	return nil
}

// dispatch sends a call on the next connection that can take one.
func (l *loop) dispatch(due time.Duration) (bool, error) {
	for range l.conns {
		c := l.conns[l.nextConn]
		l.nextConn = (l.nextConn + 1) % len(l.conns)
		if !c.codec.free() {
			continue
		}
		bytes := c.codec.encode(l.plan.Request(l.sent), flight{call: l.sent, due: due})
		l.sent++
		return true, l.write(c, bytes)
	}
	return false, nil
}

// sleep is how long the loop may wait for an answer, in milliseconds.
func (l *loop) sleep(now time.Duration) int {
	if l.plan.Rate == 0 || l.sent+len(l.waiting) == l.plan.Calls {
		return int(longestSleep / time.Millisecond)
	}
	gap := min(l.due-now, longestSleep)
	if gap < spin {
		return 0
	}
	return int((gap - spin) / time.Millisecond)
}

// receive reads what has come.
func (l *loop) receive(sleep int) error {
	n, err := unix.EpollWait(l.poll, l.events[:], sleep)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return err
	}
	for i := range max(n, 0) {
		c := l.byFD[l.events[i].Fd]
		read, err := unix.Read(c.fd, l.buffer[:])
		switch {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return err
		case read == 0:
			return errors.New("the server closed a connection")
		}
		now := time.Since(l.begin)
		reply, err := c.codec.decode(l.buffer[:read], func(f flight) {
			l.times[f.call] = now - f.due
			l.answered++
			l.lastAnswer = now
		})
		if err != nil {
			return err
		}
		if err := l.write(c, reply); err != nil {
			return err
		}
	}
	for _, c := range l.conns {
		if len(c.out) > 0 {
			if err := l.write(c, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// write writes what the socket takes, and keeps the rest.
func (l *loop) write(c *conn, bytes []byte) error {
	if len(c.out) > 0 {
		c.out = append(c.out, bytes...)
		bytes = c.out
	}
	for len(bytes) > 0 {
		n, err := unix.Write(c.fd, bytes)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if errors.Is(err, unix.EAGAIN) {
			break
		}
		if err != nil {
			return err
		}
		bytes = bytes[n:]
	}
	c.out = append(c.out[:0], bytes...)
	return nil
}
