package faultproxy

import (
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Fault is what a Proxy does to the bytes that it passes on.
type Fault int32

// The faults.
const (
	None      Fault = iota
	BlackHole       // accepts and reads; delivers everything when the fault changes
	Reset           // resets every connection at its first byte
	Slow            // delays replies by up to SetDelay
	Hold            // delivers replies when the fault changes
)

// Proxy stands between clients and a server. It may be used from any goroutine.
type Proxy struct {
	addr, backend string
	fault         atomic.Int32
	delay         atomic.Int64 // nanoseconds
	accepted      atomic.Int64
	received      atomic.Int64

	mu       sync.Mutex
	changed  chan struct{} // closed at the next change of fault
	listener net.Listener  // nil while connections are refused
	conns    map[net.Conn]struct{}
	closed   bool
	all      sync.WaitGroup
}

// New returns a Proxy before the server at backend. It ends with the test.
func New(tb testing.TB, backend string) *Proxy {
	tb.Helper()
	p := &Proxy{
		addr:    "127.0.0.1:0",
		backend: backend,
		changed: make(chan struct{}),
		conns:   make(map[net.Conn]struct{}),
	}
	p.Listen(tb)
	tb.Cleanup(func() {
		p.Refuse()
		p.mu.Lock()
		p.closed = true
		close(p.changed)
		p.mu.Unlock()
		p.all.Wait()
	})
	return p
}

// Listen accepts connections again after Refuse, at the same address.
func (p *Proxy) Listen(tb testing.TB) {
	tb.Helper()
	l, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", p.addr)
	if err != nil {
		tb.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.addr, p.listener = l.Addr().String(), l
	p.all.Go(func() { p.accept(l) })
}

// Refuse closes all connections, and refuses new ones.
func (p *Proxy) Refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		_ = p.listener.Close()
		p.listener = nil
	}
	p.closeAll()
}

// Cut closes all connections.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closeAll()
}

func (p *Proxy) closeAll() {
	for c := range p.conns {
		_ = c.Close()
	}
}

// Addr is where clients connect.
func (p *Proxy) Addr() string { return p.addr }

// Accepted is how many connections clients have made.
func (p *Proxy) Accepted() int64 { return p.accepted.Load() }

// Received is how many chunks have arrived from clients.
func (p *Proxy) Received() int64 { return p.received.Load() }

// SetDelay sets the longest delay of [Slow].
func (p *Proxy) SetDelay(d time.Duration) { p.delay.Store(int64(d)) }

// Set sets the fault. Bytes that the fault before it held back are delivered.
func (p *Proxy) Set(fault Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault.Store(int32(fault))
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Proxy) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		p.accepted.Add(1)
		p.all.Go(func() { p.serve(c) })
	}
}

func (p *Proxy) serve(c net.Conn) {
	b, err := net.Dial("tcp", p.backend) //nolint:noctx // on loopback, and closed with the proxy
	if err != nil {
		_ = c.Close()
		return
	}
	if !p.track(c, b) {
		return
	}
	defer p.untrack(c, b)
	var there sync.WaitGroup
	there.Go(func() {
		p.copy(b, c, true)
		_ = b.Close()
	})
	p.copy(c, b, false)
	_ = c.Close()
	there.Wait()
}

func (p *Proxy) track(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		if p.listener == nil {
			_ = c.Close()
			continue
		}
		p.conns[c] = struct{}{}
	}
	return p.listener != nil
}

func (p *Proxy) untrack(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
		delete(p.conns, c)
	}
}

func (p *Proxy) copy(to, from net.Conn, request bool) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if request {
				p.received.Add(1)
			}
			if !p.pass(from, request) {
				return
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// pass delays a chunk as the fault demands, and tells whether to go on.
func (p *Proxy) pass(from net.Conn, request bool) bool {
	for {
		p.mu.Lock()
		changed, closed := p.changed, p.closed
		p.mu.Unlock()
		if closed {
			return false
		}
		switch fault := Fault(p.fault.Load()); {
		case fault == BlackHole, fault == Hold && !request:
			<-changed // A black hole ends by delivering everything late.
		case fault == Reset:
			if tcp, ok := from.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
			return false
		case fault == Slow && !request:
			timer := time.NewTimer(time.Duration(rand.Int64N(p.delay.Load() + 1))) //nolint:gosec // The delay of a test.
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-changed:
			}
			return true
		default:
			return true
		}
	}
}
