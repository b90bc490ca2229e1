package conntest

import (
	"net"
	"sync"
)

// Pipes is a listener whose connections are in memory, for tests in a bubble of
// testing/synctest. They are those of [net.Pipe]: each write waits for its read, and a
// deadline that is changed is in force when SetDeadline returns. (One of bufconn may
// still strike after it was taken back: net/http ends its read ahead by a deadline that
// is over, which then ended the connection now and then.)
type Pipes struct {
	dials  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

// NewPipes returns a listener. Its user closes it.
func NewPipes() *Pipes {
	return &Pipes{dials: make(chan net.Conn), closed: make(chan struct{})}
}

// Dial connects, once the server accepts. The error is [net.ErrClosed].
func (p *Pipes) Dial() (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.dials <- server:
		return client, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Accept implements [net.Listener].
func (p *Pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.dials:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (p *Pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

// Addr implements [net.Listener].
func (p *Pipes) Addr() net.Addr { return pipeAddr{} }

// pipeAddr is the address of all pipes.
type pipeAddr struct{}

// Network implements [net.Addr].
func (pipeAddr) Network() string { return "pipe" }

// String implements [net.Addr].
func (pipeAddr) String() string { return "pipe" }
