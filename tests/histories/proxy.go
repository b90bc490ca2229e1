package histories

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/processtest"
)

// Proxy is the way of one replica to Redis.
type Proxy struct {
	listener net.Listener
	target   string          // the socket of Redis
	base     context.Context // ends with the proxy
	cancel   context.CancelFunc
	all      sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	cut     bool
	delay   time.Duration
	passing chan struct{} // closed while bytes may pass
	open    map[net.Conn]struct{}
}

// NewProxy returns a proxy to the Unix socket target. Close it.
func NewProxy(ctx context.Context, target string) (*Proxy, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{listener: listener, target: target, passing: make(chan struct{}), open: make(map[net.Conn]struct{})}
	close(p.passing)
	p.base, p.cancel = context.WithCancel(context.WithoutCancel(ctx))
	p.all.Go(p.accept)
	return p, nil
}

// Addr is where the replica connects.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Cut closes all connections, and each new one, until Heal.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	p.closeAll()
}

// Stall lets nothing pass until Heal. Connections stay, and can be made.
func (p *Proxy) Stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.passing:
		p.passing = make(chan struct{})
	default: // It is stalled.
	}
}

// Delay delays all that passes, in each direction, until Heal.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Heal ends all of these. What was stalled passes now.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heal()
}

func (p *Proxy) heal() {
	p.cut, p.delay = false, 0
	select {
	case <-p.passing:
	default:
		close(p.passing)
	}
}

// Close ends the proxy and its connections.
func (p *Proxy) Close() error {
	p.cancel()
	err := p.listener.Close()
	p.mu.Lock()
	p.heal()
	p.closed = true
	p.closeAll()
	p.mu.Unlock()
	p.all.Wait()
	return err
}

// closeAll is called with the lock held.
func (p *Proxy) closeAll() {
	for c := range p.open {
		_ = c.Close()
	}
}

func (p *Proxy) accept() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return // Closed.
		}
		p.all.Go(func() { p.serve(near) })
	}
}

func (p *Proxy) serve(near net.Conn) {
	defer func() { _ = near.Close() }()
	far, err := net.DialTimeout("unix", p.target, time.Second) //nolint:noctx // bounded, and on this machine
	if err != nil {
		return // Redis is dead, and so is the connection.
	}
	defer func() { _ = far.Close() }()
	if !p.keep(near, far) {
		return
	}
	defer p.release(near, far)
	var back sync.WaitGroup
	back.Go(func() {
		p.pass(near, far)
		_ = near.Close()
	})
	p.pass(far, near)
	_ = far.Close()
	back.Wait()
}

func (p *Proxy) keep(connections ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.cut {
		return false
	}
	for _, c := range connections {
		p.open[c] = struct{}{}
	}
	return true
}

func (p *Proxy) release(connections ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range connections {
		delete(p.open, c)
	}
}

// pass copies until one side ends.
func (p *Proxy) pass(to, from net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			p.mu.Lock()
			passing, delay := p.passing, p.delay
			p.mu.Unlock()
			if delay > 0 && processtest.Pause(p.base, delay) != nil {
				return
			}
			<-passing
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
