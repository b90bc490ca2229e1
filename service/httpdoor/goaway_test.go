package httpdoor_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/admin-gateway/admin-gateway/internal/conntest"
	"github.com/admin-gateway/admin-gateway/service/httpdoor"
)

// TestIdleClientsAreToldToGo: an HTTP/2 client without a request hears GOAWAY, and
// its connection does not end before it can have.
func TestIdleClientsAreToldToGo(t *testing.T) {
	t.Parallel()
	o := serve(t, hello, httpdoor.Options{})
	l := dial(t, o.address)
	frames := conntest.Begin(t, l)
	var block strings.Builder
	encoder := hpack.NewEncoder(&block)
	for _, f := range [][2]string{{":method", "GET"}, {":scheme", "http"}, {":authority", "h"}, {":path", "/"}} {
		_ = encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	if err := frames.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte(block.String()), EndStream: true, EndHeaders: true}); err != nil {
		t.Fatal(err)
	}
	for answered := false; ; {
		frame, err := frames.ReadFrame()
		if err != nil {
			t.Fatalf("ended without GOAWAY: %v", err)
		}
		if data, ok := frame.(*http2.DataFrame); ok && data.StreamEnded() && !answered {
			answered = true
			o.stop()
		}
		if away, ok := frame.(*http2.GoAwayFrame); ok {
			if away.ErrCode != http2.ErrCodeNo {
				t.Errorf("GOAWAY with %s", away.ErrCode)
			}
			break
		}
	}
	// And it is not cut off meanwhile.
	if err := frames.WritePing(false, [8]byte{1}); err != nil {
		t.Fatal(err)
	}
	for {
		frame, err := frames.ReadFrame()
		if err != nil {
			t.Fatalf("cut off: %v", err)
		}
		if ping, ok := frame.(*http2.PingFrame); ok && ping.IsAck() {
			break
		}
	}
	_ = l.Close() // As a client does that has nothing to wait for.
	wait(t, "the end", o.ended)
	if o.err != nil {
		t.Error(o.err)
	}
}

func TestNonsenseIsSettled(t *testing.T) {
	t.Parallel()
	o := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "served") }, httpdoor.Options{
		MaxConnections: -1, MaxHeaderBytes: 1 << 40, MaxConcurrentStreams: 1 << 40, ReadHeaderTimeout: -time.Second, IdleTimeout: 1 << 62,
		MaxConnectionAge: 1 << 62, ReadTimeout: 1 << 62, WriteTimeout: 1 << 62, PingAfter: 1 << 62, PingTimeout: 1 << 62, DrainTimeout: 1 << 62,
	})
	if got, _, err := get(t, client(t, true), o.address); got != "served" {
		t.Error(got, err)
	}
}
