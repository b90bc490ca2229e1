package grpcdoor_test

import (
	"errors"
	"testing"

	"golang.org/x/net/http2"

	"github.com/admin-gateway/admin-gateway/service/grpcdoor"
)

// TestUntakenAnswersTakeTheirStreams: a client that does not take its answers has no more
// of them than a connection has calls. It gets them all once it takes them.
func TestUntakenAnswersTakeTheirStreams(t *testing.T) {
	t.Parallel()
	const streams = 4
	o := serve(t, serving(echo), grpcdoor.Options{MaxConcurrentStreams: streams})
	c := newClient(t, o.address)
	window := func(size uint32) {
		t.Helper()
		if err := c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: size}); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(stream uint32) {
		t.Helper()
		if err := errors.Join(c.call(stream), c.WriteData(stream, true, envelope(false, []byte("\x0a\x04text")))); err != nil {
			t.Fatal(err)
		}
	}
	window(0)
	last := uint32(1)
	for range streams {
		ask(last)
		if err := c.until(func(f http2.Frame) bool { // No window holds these back.
			return f.Header().Type == http2.FrameHeaders && f.Header().StreamID == last
		}); err != nil {
			t.Fatalf("the headers of an answer: %v", err)
		}
		last += 2
	}
	ask(last)
	if err := c.until(func(f http2.Frame) bool {
		reset, ok := f.(*http2.RSTStreamFrame)
		return ok && reset.StreamID == last && reset.ErrCode == http2.ErrCodeRefusedStream
	}); err != nil {
		t.Fatalf("a call beyond them: %v", err)
	}
	window(64 << 10)
	ended := 0
	if err := c.until(func(f http2.Frame) bool {
		if headers, ok := f.(*http2.HeadersFrame); ok && headers.StreamEnded() {
			ended++
		}
		return ended == streams
	}); err != nil {
		t.Fatalf("%d answers came: %v", ended, err)
	}
	call(t, c, last+2, "caller")
}
