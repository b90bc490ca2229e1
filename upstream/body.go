package upstream

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/admin-gateway/admin-gateway/upstream/adminjson"
)

var (
	errTooLarge = errors.New("the answer is larger than it may be")
	errEncoding = errors.New("the answer has a content encoding that was not asked for")
)

// readBody reads an answer's body, decompressed, up to limit bytes. The bytes
// on the wire are bounded by the same limit: a stream of empty gzip members
// grows to nothing and never ends.
func readBody(reply *http.Response, limit int64) ([]byte, error) {
	var body io.Reader = &bounded{from: reply.Body, left: limit}
	switch encoding := strings.ToLower(strings.TrimSpace(reply.Header.Get("Content-Encoding"))); encoding {
	case "", "identity":
		if reply.ContentLength > limit {
			return nil, errTooLarge
		}
	case "gzip":
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			return nil, fmt.Errorf("reading the compressed answer: %w", err)
		}
		defer unzipped.Close() //nolint:errcheck // reports what Read has reported
		body = &bounded{from: unzipped, left: limit}
	default:
		return nil, errEncoding
	}
	var buffer bytes.Buffer
	if n := reply.ContentLength; n > 0 && n <= limit {
		buffer.Grow(int(min(n, 1<<20)) + bytes.MinRead)
	}
	if _, err := buffer.ReadFrom(body); err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	return buffer.Bytes(), nil
}

// arrival is a body that is being read. It remembers whether the connection broke, so
// that a broken connection is not mistaken for a malformed answer.
type arrival struct {
	io.ReadCloser
	broke bool
}

func (a *arrival) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		a.broke = true
	}
	return n, err
}

// bounded is an io.LimitedReader that fails at its limit, where an io.LimitedReader
// just ends.
type bounded struct {
	from io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.from.Read(p)
	if int64(n) > b.left {
		return 0, errTooLarge
	}
	b.left -= int64(n)
	return n, err
}

// looksWrong returns the reason why a 2xx answer cannot be the API's whole answer, or "".
// It checks the status, the header and the first byte alone; Decode reads the rest.
func looksWrong(status int, header http.Header, body []byte) string {
	// 204 and 205 are without an answer, 206 is a part of one, and the others are about
	// something else.
	if status > http.StatusNonAuthoritativeInfo {
		return "the status is not that of a whole answer"
	}
	if len(body) == 0 {
		return "the answer is empty"
	}
	if contentType := header.Get("Content-Type"); contentType != "" {
		media, _, err := mime.ParseMediaType(contentType)
		if err != nil || media != "application/json" && !strings.HasSuffix(media, "+json") {
			return "the answer is not JSON"
		}
	}
	if !startsObject(body) {
		return "the answer is not a JSON object"
	}
	return ""
}

// startsObject reports whether a body begins with an object, as all answers of the API
// do. A null would otherwise pass for an answer in which nothing is set.
func startsObject(body []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(bytes.TrimPrefix(body, []byte(adminjson.ByteOrderMark)), " \t\r\n"), []byte("{"))
}
