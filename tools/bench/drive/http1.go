package drive

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// maxPending bounds an answer.
const maxPending = 32 << 20

var errAnswer = errors.New("not an answer in HTTP/1.1")

// http1Codec has one call in flight.
type http1Codec struct {
	busy    bool
	flight  flight
	pending []byte
}

func (*http1Codec) greeting() []byte { return nil }

func (c *http1Codec) free() bool { return !c.busy }

func (c *http1Codec) encode(request []byte, f flight) []byte {
	c.busy, c.flight = true, f
	return request
}

func (c *http1Codec) decode(received []byte, answered func(flight)) ([]byte, error) {
	c.pending = append(c.pending, received...)
	size, err := answerSize(c.pending)
	if err != nil {
		return nil, err
	}
	if size == 0 {
		if len(c.pending) > maxPending {
			return nil, fmt.Errorf("%w: it is too large", errAnswer)
		}
		return nil, nil
	}
	if size != len(c.pending) || !c.busy {
		return nil, fmt.Errorf("%w: %d bytes more than were asked for", errAnswer, len(c.pending)-size)
	}
	c.pending, c.busy = c.pending[:0], false
	answered(c.flight)
	return nil, nil
}

// answerSize is the size of the answer at the beginning of the data, zero if it is not
// whole. Its status has to be 200.
func answerSize(data []byte) (int, error) {
	head, _, ok := bytes.Cut(data, []byte("\r\n\r\n"))
	if !ok {
		return 0, nil
	}
	body := len(head) + 4
	line, headers, _ := bytes.Cut(head, []byte("\r\n"))
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 200")) {
		return 0, fmt.Errorf("%w: %s: %.300s", ErrFailed, line, data[body:])
	}
	for line := range bytes.SplitSeq(headers, []byte("\r\n")) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			length, err := strconv.Atoi(string(value))
			if err != nil || length < 0 {
				return 0, fmt.Errorf("%w: Content-Length %q", errAnswer, value)
			}
			if len(data) < body+length {
				return 0, nil
			}
			return body + length, nil
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			return chunkedSize(data, body)
		}
	}
	return 0, fmt.Errorf("%w: its body has no length", errAnswer)
}

// chunkedSize is the size of an answer whose body begins there and comes in chunks,
// without trailers.
func chunkedSize(data []byte, at int) (int, error) {
	for {
		line, _, ok := bytes.Cut(data[at:], []byte("\r\n"))
		if !ok {
			return 0, nil
		}
		size, err := strconv.ParseUint(string(line), 16, 31)
		if err != nil {
			return 0, fmt.Errorf("%w: chunk of %q bytes", errAnswer, line)
		}
		at += len(line) + 2 + int(size) + 2
		if at > len(data) {
			return 0, nil
		}
		if size == 0 {
			return at, nil
		}
	}
}
