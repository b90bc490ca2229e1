// Package conntest has raw connections to the doors, for tests: from addresses of their
// choice, and of clients that begin with HTTP/2 and then are silent. It imports nothing of
// the gateway.
package conntest

import (
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// Dial connects to a TCP address. The connection has a deadline after patience, and is
// closed at the end of the test.
func Dial(tb testing.TB, address string, patience time.Duration) net.Conn {
	tb.Helper()
	return dial(tb, &net.Dialer{Timeout: patience}, address, patience)
}

// DialFrom is [Dial] from the address 127.0.0.last. Linux alone has all of them.
func DialFrom(tb testing.TB, last byte, address string, patience time.Duration) net.Conn {
	tb.Helper()
	return dial(tb, &net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, last)}}, address, patience)
}

func dial(tb testing.TB, dialer *net.Dialer, address string, patience time.Duration) net.Conn {
	tb.Helper()
	conn, err := dialer.DialContext(tb.Context(), "tcp", address)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() }) // Closed by the other end in many tests.
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		tb.Fatal(err)
	}
	return conn
}

// Greet says what an HTTP/2 client says first, and returns when the server has heard it.
func Greet(tb testing.TB, conn io.ReadWriter) {
	tb.Helper()
	frames := Begin(tb, conn)
	for {
		f, err := frames.ReadFrame()
		if err != nil {
			tb.Fatal(err)
		}
		if s, ok := f.(*http2.SettingsFrame); ok && s.IsAck() {
			return
		}
	}
}

// Begin says what an HTTP/2 client says first. What follows is for the test to say.
func Begin(tb testing.TB, conn io.ReadWriter) *http2.Framer {
	tb.Helper()
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		tb.Fatal(err)
	}
	frames := http2.NewFramer(conn, conn)
	if err := frames.WriteSettings(); err != nil {
		tb.Fatal(err)
	}
	return frames
}
