package drive

import (
	"encoding/binary"
	"testing"

	"golang.org/x/net/http2"
)

// The window of the connection is opened again by as much as answers have taken.
func TestTheWindowIsOpenedAgain(t *testing.T) {
	const payload = 10_000
	c := newGRPCCodec(1)
	c.encode(GRPCRequest("x", "/s/m", "t", nil), flight{})
	data := appendFrame(nil, http2.FrameData, 0, make([]byte, payload))
	binary.BigEndian.PutUint32(data[5:], 1)
	var taken, opened int
	for range 3 * refill / payload {
		// In two pieces, as a socket may have them.
		for _, piece := range [][]byte{data[:7], data[7:]} {
			reply, err := c.decode(piece, func(flight) { t.Error("a call is answered") })
			if err != nil {
				t.Fatal(err)
			}
			if len(reply) > 0 {
				if http2.FrameType(reply[3]) != http2.FrameWindowUpdate || binary.BigEndian.Uint32(reply[5:]) != 0 {
					t.Fatalf("the reply is %x", reply)
				}
				opened += int(binary.BigEndian.Uint32(reply[frameHeader:]))
			}
		}
		taken += payload
	}
	if taken-opened >= refill {
		t.Errorf("%d bytes were taken, and %d given back", taken, opened)
	}
}
