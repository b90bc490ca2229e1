package cache

import (
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// fault is what a faultProxy does to what it is to pass on.
type fault int32

const (
	faultNone      fault = iota
	faultBlackHole       // accepts, reads, and answers nothing
	faultReset           // resets every connection at its first byte
	faultSlow            // answers after up to faultProxy.delay
	faultHold            // answers when the mode changes
)

// faultProxy stands between a client and a server and is a bad network.
type faultProxy struct {
	addr, backend string
	mode          atomic.Int32
	delay         atomic.Int64 // nanoseconds
	accepted      atomic.Int64 // connections
	received      atomic.Int64 // chunks from clients

	mu       sync.Mutex
	changed  chan struct{} // closed at the next change of mode
	listener net.Listener  // nil while connections are refused
	conns    map[net.Conn]struct{}
	closed   bool
	all      sync.WaitGroup
}

func newFaultProxy(tb testing.TB, backend string) *faultProxy {
	tb.Helper()
	p := &faultProxy{
		addr:    "127.0.0.1:0",
		backend: backend,
		changed: make(chan struct{}),
		conns:   make(map[net.Conn]struct{}),
	}
	p.listen(tb)
	tb.Cleanup(func() {
		p.refuse()
		p.mu.Lock()
		p.closed = true
		close(p.changed)
		p.mu.Unlock()
		p.all.Wait()
	})
	return p
}

// listen ends a refuse.
func (p *faultProxy) listen(tb testing.TB) {
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

// refuse closes all connections, and refuses new ones.
func (p *faultProxy) refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		_ = p.listener.Close()
		p.listener = nil
	}
	p.closeAll()
}

// cut closes all connections.
func (p *faultProxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closeAll()
}

func (p *faultProxy) closeAll() {
	for c := range p.conns {
		_ = c.Close()
	}
}

func (p *faultProxy) set(mode fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode.Store(int32(mode))
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *faultProxy) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		p.accepted.Add(1)
		p.all.Go(func() { p.serve(c) })
	}
}

func (p *faultProxy) serve(c net.Conn) {
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

func (p *faultProxy) track(conns ...net.Conn) bool {
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

func (p *faultProxy) untrack(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
		delete(p.conns, c)
	}
}

func (p *faultProxy) copy(to, from net.Conn, request bool) {
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

// pass waits as long as the fault has it, and tells whether to go on.
func (p *faultProxy) pass(from net.Conn, request bool) bool {
	for {
		p.mu.Lock()
		changed, closed := p.changed, p.closed
		p.mu.Unlock()
		if closed {
			return false
		}
		switch mode := fault(p.mode.Load()); {
		case mode == faultBlackHole, mode == faultHold && !request:
			<-changed // A black hole ends by delivering everything late.
		case mode == faultReset:
			if tcp, ok := from.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
			return false
		case mode == faultSlow && !request:
			timer := time.NewTimer(time.Duration(rand.Int64N(p.delay.Load() + 1)))
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
