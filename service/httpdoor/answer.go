package httpdoor

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"sync"
)

const (
	// unknownLength is the size from which net/http does not find out the length of an
	// answer itself, and sends it in chunks.
	unknownLength = 2 << 10
	// pieceBytes is how much net/http writes at a time.
	pieceBytes = 4 << 10
)

// piece is what net/http writes first of a larger answer.
type piece [pieceBytes]byte

// Write writes a status and all of an answer's body, after which no more may be written,
// in the context that [WithConnection] has made. It says how long the body is, and over
// HTTP/1.1 without TLS it has the header and a large body go out in one write of the
// system, which is most of what an answer costs.
func Write(ctx context.Context, w http.ResponseWriter, status int, body []byte) error {
	if len(body) >= unknownLength {
		w.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	// With its header, a body of the size of a piece is two writes at least.
	if c, ok := ctx.(*connection); ok && c.joins != nil && len(body) >= pieceBytes {
		c.joins.next = true
	}
	w.WriteHeader(status)
	_, err := w.Write(body)
	return err
}

// joined joins the first two writes of an answer. It belongs to the goroutine that
// serves the connection.
type joined struct {
	pieces *sync.Pool // of *piece, for all connections
	// next says that the next write is held until the one behind it, which is certain
	// to come unless the connection is closed.
	next  bool
	first *piece // what is held; nil: nothing
	size  int    // of first
	both  [2][]byte
	out   net.Buffers // of both
}

// write writes p, behind what is held, or holds it.
func (j *joined) write(to net.Conn, p []byte) (int, error) {
	if j.first != nil {
		return j.flush(to, p)
	}
	hold := j.next && len(p) <= pieceBytes
	j.next = false
	if !hold {
		return to.Write(p)
	}
	if j.first, _ = j.pieces.Get().(*piece); j.first == nil {
		j.first = new(piece)
	}
	j.size = copy(j.first[:], p)
	return j.size, nil
}

// flush writes what is held and p.
func (j *joined) flush(to net.Conn, p []byte) (int, error) {
	j.both = [2][]byte{j.first[:j.size], p}
	j.out = j.both[:]
	n, err := j.out.WriteTo(to)
	j.pieces.Put(j.first)
	j.first = nil
	return max(0, int(n)-j.size), err // Of p.
}
