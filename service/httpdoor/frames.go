package httpdoor

import (
	"bufio"
	"encoding/binary"
	"io"
	"strings"

	"github.com/admin-gateway/admin-gateway/internal/connguard"
)

const (
	// preface is what an HTTP/2 client sends first (RFC 9113, 3.4).
	preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	// frameHeader is the length of a frame's header (RFC 9113, 4.1).
	frameHeader = 9
	// readAtOnce is how much is read of an HTTP/2 connection at once. net/http reads
	// each header of a frame and each payload for itself.
	readAtOnce = 4 << 10
	// largestFrame is the largest one that a client may send, and the least that the
	// protocol allows: net/http makes room for a frame when it has read the header.
	largestFrame = 16 << 10
	// headersFrame is the type of the frame that begins a request (RFC 9113, 6.2).
	headersFrame = 0x1
)

// frames reads what a client sends. On HTTP/2 it finds where a request begins, and has
// an anonymous client wait for its earlier ones: net/http begins whatever it reads, as
// far as five times the streams that a connection may have. All else it passes on.
//
// It looks at the headers of frames alone. Whatever is wrong with one is net/http's
// business.
type frames struct {
	from  io.Reader
	guard *connguard.Conn

	greeting int           // how much of the preface was read; -1: it is not HTTP/2
	in       *bufio.Reader // of HTTP/2, once the preface is through
	left     int           // bytes until the next frame
	latest   uint32        // the stream of the latest request
}

// Read reads no further than to the end of a frame, where the client is anonymous.
func (f *frames) Read(p []byte) (int, error) {
	switch {
	case f.greeting < 0 || len(p) == 0:
		return f.from.Read(p)
	case f.greeting < len(preface):
		return f.greet(p)
	case f.guard.Known():
		return f.in.Read(p)
	}
	if f.left == 0 {
		if err := f.next(); err != nil {
			return 0, err
		}
	}
	// What is taken counts, so no more may be taken than is there.
	if _, err := f.in.Peek(1); err != nil {
		return 0, err
	}
	n, err := f.guard.Take(min(len(p), f.left, f.in.Buffered()))
	if err != nil {
		return 0, err
	}
	n, err = f.in.Read(p[:n])
	f.left -= n
	return n, err
}

// greet reads of the preface, or finds that it is none.
func (f *frames) greet(p []byte) (int, error) {
	rest := preface[f.greeting:]
	n, err := f.from.Read(p[:min(len(p), len(rest))])
	if !strings.HasPrefix(rest, string(p[:n])) {
		f.greeting = -1
		return n, err
	}
	if f.greeting += n; f.greeting == len(preface) {
		f.in = bufio.NewReaderSize(f.from, readAtOnce)
	}
	return n, err
}

// next looks at the header of the next frame, and waits where it begins a request.
func (f *frames) next() error {
	header, err := f.in.Peek(frameHeader)
	if err != nil {
		return err
	}
	length := int(header[0])<<16 | int(header[1])<<8 | int(header[2])
	stream := binary.BigEndian.Uint32(header[5:]) &^ (1 << 31)
	if header[3] == headersFrame && stream > f.latest { // Otherwise these are trailers.
		if err := f.guard.Begin(); err != nil {
			return err
		}
		f.latest = stream
	}
	f.left = frameHeader + length
	return nil
}
