package upstream

import (
	"context"
	"crypto/tls"
	"net/http/httptrace"
	"sync"
)

// exchange traces one attempt. It knows whether any of the request may have arrived,
// and prevents that a write arrives twice.
//
// net/http sends a request again by itself when its connection fails. Over
// HTTP/1 it does so with a POST or a DELETE only when not a byte was written
// (unless there is an Idempotency-Key, which is never sent). Over HTTP/2 it
// also does so when the server resets the stream, and PROTOCOL_ERROR does not
// say that nothing was done. So a write that asks for a connection after its
// headers went out over HTTP/2 is ended here.
type exchange struct {
	write  bool
	cancel context.CancelCauseFunc
	// blind is set when the transport is not net/http's, and may trace nothing.
	blind bool

	mu     sync.Mutex
	http2  bool
	wrote  bool
	traced bool
}

func (x *exchange) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn:      func(string) { x.again() },
		GotConn:      x.got,
		WroteHeaders: x.wroteHeaders,
	}
}

func (x *exchange) again() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.traced = true
	if x.write && x.wrote && x.http2 {
		x.cancel(errReplay)
		return
	}
	// Over HTTP/1 net/http guarantees that nothing was written.
	x.wrote = false
}

func (x *exchange) got(info httptrace.GotConnInfo) {
	x.again()
	conn, ok := info.Conn.(*tls.Conn)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.http2 = ok && conn.ConnectionState().NegotiatedProtocol == "h2"
}

func (x *exchange) wroteHeaders() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.wrote = true
}

// sent reports whether any of the request may have arrived.
func (x *exchange) sent() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.wrote || x.blind && !x.traced
}
