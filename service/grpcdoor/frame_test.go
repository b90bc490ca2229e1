package grpcdoor

import (
	"bytes"
	"compress/gzip"
	"io"
	"runtime"
	"testing"

	"connectrpc.com/connect/v2"
)

// TestBombsStayPacked: what is refused for its size is not unpacked first. Not
// parallel: it counts what the process allocates.
func TestBombsStayPacked(t *testing.T) {
	const most, size = 1 << 20, 64 << 20
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	for range size >> 16 {
		if _, err := w.Write(make([]byte, 1<<16)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := newOpener(most).open(frame{data: bomb.Bytes(), compressed: true}, func(io.Reader) error { return nil })
	runtime.ReadMemStats(&after)
	if connect.CodeOf(err) != connect.CodeResourceExhausted {
		t.Errorf("%d bytes in %d: %v", size, bomb.Len(), err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 16*most {
		t.Errorf("it took %d bytes to refuse %d", took, size)
	}
}
