package drive

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	// window is for answers, of a stream and of the connection: nothing waits for it.
	window = 1<<31 - 1
	// refill is after how many bytes the window of the connection is opened again.
	refill      = 1 << 20
	frameHeader = 9
)

var errFrame = errors.New("not an answer in HTTP/2")

// GRPCRequest is the request of a call: the block of its headers and its message, behind
// one another, as the codec takes them.
func GRPCRequest(authority, path, token string, message []byte) []byte {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	encoder.SetMaxDynamicTableSize(0) // The same block goes to every connection at any time.
	for _, h := range [][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":path", path}, {":authority", authority},
		{"content-type", "application/grpc"}, {"te", "trailers"}, {"authorization", "Bearer " + token},
	} {
		_ = encoder.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]}) // A buffer takes all.
	}
	request := appendFrame(nil, http2.FrameHeaders, http2.FlagHeadersEndHeaders, block.Bytes())
	framed := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
	return appendFrame(request, http2.FrameData, http2.FlagDataEndStream, framed)
}

// appendFrame appends a frame of the connection, or of a stream that is not known yet.
func appendFrame(to []byte, kind http2.FrameType, flags http2.Flags, payload []byte) []byte {
	length := len(payload)
	to = append(to, byte(length>>16), byte(length>>8), byte(length), byte(kind), byte(flags))
	return append(binary.BigEndian.AppendUint32(to, 0), payload...)
}

// grpcCodec has as many calls in flight as there may be streams.
type grpcCodec struct {
	streams  int
	next     uint32
	flights  map[uint32]flight
	pending  []byte
	out      []byte
	consumed int
	decoder  *hpack.Decoder
	status   string // Of the call whose trailers are being decoded.
}

func newGRPCCodec(streams int) *grpcCodec {
	c := &grpcCodec{streams: streams, next: 1, flights: make(map[uint32]flight, streams)}
	c.decoder = hpack.NewDecoder(0, func(h hpack.HeaderField) {
		if h.Name == "grpc-status" {
			c.status = h.Value
		}
	})
	c.decoder.SetAllowedMaxDynamicTableSize(0)
	return c
}

func (*grpcCodec) greeting() []byte {
	setting := func(to []byte, id http2.SettingID, value uint32) []byte {
		return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(to, uint16(id)), value)
	}
	// Without a dynamic table the trailers of a call can be read without all others.
	settings := setting(nil, http2.SettingHeaderTableSize, 0)
	settings = setting(settings, http2.SettingInitialWindowSize, window)
	settings = setting(settings, http2.SettingEnablePush, 0)
	greeting := appendFrame([]byte(http2.ClientPreface), http2.FrameSettings, 0, settings)
	return appendFrame(greeting, http2.FrameWindowUpdate, 0, binary.BigEndian.AppendUint32(nil, window-65535))
}

func (c *grpcCodec) free() bool { return len(c.flights) < c.streams }

func (c *grpcCodec) encode(request []byte, f flight) []byte {
	stream := c.next
	c.next += 2
	c.flights[stream] = f
	c.out = append(c.out[:0], request...)
	data := frameHeader + length(c.out)
	binary.BigEndian.PutUint32(c.out[5:], stream)
	binary.BigEndian.PutUint32(c.out[data+5:], stream)
	return c.out
}

// length is that of the payload of the frame at the beginning of the data.
func length(data []byte) int { return int(data[0])<<16 | int(data[1])<<8 | int(data[2]) }

func (c *grpcCodec) decode(received []byte, answered func(flight)) ([]byte, error) {
	data := received
	if len(c.pending) > 0 {
		c.pending = append(c.pending, received...)
		data = c.pending
	}
	var reply []byte
	for len(data) >= frameHeader && len(data) >= frameHeader+length(data) {
		frame := data[:frameHeader+length(data)]
		data = data[len(frame):]
		var err error
		if reply, err = c.frame(frame, reply, answered); err != nil {
			return nil, err
		}
	}
	c.pending = append(c.pending[:0], data...)
	return reply, nil
}

// frame takes a frame, and appends to the reply what it asks for.
func (c *grpcCodec) frame(frame, reply []byte, answered func(flight)) ([]byte, error) {
	kind, flags := http2.FrameType(frame[3]), http2.Flags(frame[4])
	stream := binary.BigEndian.Uint32(frame[5:]) & window
	payload := frame[frameHeader:]
	switch kind {
	case http2.FrameData:
		if c.consumed += len(payload); c.consumed >= refill {
			reply = appendFrame(reply, http2.FrameWindowUpdate, 0, binary.BigEndian.AppendUint32(nil, uint32(c.consumed)))
			c.consumed = 0
		}
		if flags.Has(http2.FlagDataEndStream) {
			return nil, fmt.Errorf("%w: an answer without trailers", errFrame)
		}
	case http2.FrameHeaders:
		if !flags.Has(http2.FlagHeadersEndHeaders) {
			return nil, fmt.Errorf("%w: headers in several frames", errFrame)
		}
		if !flags.Has(http2.FlagHeadersEndStream) {
			return reply, nil
		}
		return reply, c.end(stream, payload, answered)
	case http2.FrameRSTStream, http2.FrameGoAway:
		return nil, fmt.Errorf("%w: %s %x", ErrFailed, kind, payload)
	case http2.FrameSettings:
		if !flags.Has(http2.FlagSettingsAck) {
			reply = appendFrame(reply, http2.FrameSettings, http2.FlagSettingsAck, nil)
		}
	case http2.FramePing:
		if !flags.Has(http2.FlagPingAck) {
			reply = appendFrame(reply, http2.FramePing, http2.FlagPingAck, payload)
		}
	default: // Windows for requests, which are too small to need them, and what is unknown.
	}
	return reply, nil
}

// end reads the trailers of a call.
func (c *grpcCodec) end(stream uint32, block []byte, answered func(flight)) error {
	f, ok := c.flights[stream]
	if !ok {
		return fmt.Errorf("%w: an end of stream %d, which is not open", errFrame, stream)
	}
	c.status = ""
	if _, err := c.decoder.Write(block); err != nil {
		return fmt.Errorf("%w: %w", errFrame, err)
	}
	if err := c.decoder.Close(); err != nil {
		return fmt.Errorf("%w: %w", errFrame, err)
	}
	if c.status != "0" {
		return fmt.Errorf("%w: grpc-status %q", ErrFailed, c.status)
	}
	delete(c.flights, stream)
	answered(f)
	return nil
}
