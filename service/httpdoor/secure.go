package httpdoor

import (
	"crypto/tls"
	"errors"
	"io"
)

// plainText is the answer to a request without TLS.
const plainText = "HTTP/1.0 400 Bad Request\r\n\r\nThis port speaks HTTPS alone.\n"

// secureConn is TLS on a connection. The first Read waits for the handshake, with the
// deadline that net/http sets for the first header.
type secureConn struct {
	*tls.Conn
	// state is that after the handshake, and does not change once something was read.
	state *tls.ConnectionState
}

// Read reads what the client has sent.
func (c *secureConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	switch plain, ok := errors.AsType[tls.RecordHeaderError](err); {
	case ok && plain.Conn != nil: // Nothing was answered yet.
		_, _ = io.WriteString(plain.Conn, plainText)
	case n > 0 && c.state == nil:
		state := c.ConnectionState()
		c.state = &state
	}
	return n, err
}
