package pace

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
)

// proxy stands between a replica and Redis. Lost, it goes on to accept, and
// passes nothing on.
type proxy struct {
	addr string

	mu       sync.Mutex
	found    chan struct{} // closed while it is not lost
	conns    map[net.Conn]struct{}
	listener net.Listener
	closed   bool
	all      sync.WaitGroup
}

func newProxy(tb testing.TB, backend string) *proxy {
	tb.Helper()
	l, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &proxy{addr: l.Addr().String(), found: make(chan struct{}), conns: make(map[net.Conn]struct{}), listener: l}
	close(p.found)
	p.all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.all.Go(func() { p.serve(c, backend) })
		}
	})
	tb.Cleanup(func() {
		_ = l.Close()
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		p.find()
		p.cut()
		p.all.Wait()
	})
	return p
}

// lose swallows what is sent from now on, until find.
func (p *proxy) lose() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.found = make(chan struct{})
}

func (p *proxy) find() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.found:
	default:
		close(p.found)
	}
}

// cut closes all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

func (p *proxy) serve(c net.Conn, backend string) {
	b, err := net.Dial("tcp", backend) //nolint:noctx // on loopback, and closed with the proxy
	if err != nil {
		_ = c.Close()
		return
	}
	p.mu.Lock()
	p.conns[c], p.conns[b] = struct{}{}, struct{}{}
	if p.closed {
		_, _ = c.Close(), b.Close()
	}
	p.mu.Unlock()
	var there sync.WaitGroup
	there.Go(func() { p.copy(b, c) })
	p.copy(c, b)
	there.Wait()
	p.mu.Lock()
	delete(p.conns, c)
	delete(p.conns, b)
	p.mu.Unlock()
}

func (p *proxy) copy(to, from net.Conn) {
	defer func() { _, _ = to.Close(), from.Close() }()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil && !errors.Is(err, io.EOF) {
			return
		}
		p.mu.Lock()
		found := p.found
		p.mu.Unlock()
		<-found // What was held is delivered late.
		if _, werr := to.Write(buffer[:n]); werr != nil || err != nil {
			return
		}
	}
}
