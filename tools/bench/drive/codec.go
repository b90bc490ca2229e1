package drive

import "time"

// Protocol is the form of calls on the wire.
type Protocol int

const (
	// HTTP1 is HTTP/1.1: requests are whole, with their heads.
	HTTP1 Protocol = iota
	// GRPC is gRPC over HTTP/2 in clear text: requests are those that GRPCRequest makes.
	GRPC
)

// flight is a call that was sent.
type flight struct {
	call int
	due  time.Duration
}

// codec speaks a protocol on one connection.
type codec interface {
	// greeting is sent before anything else.
	greeting() []byte
	// free says whether a call can be sent now.
	free() bool
	// encode is what is sent for a call. It is valid until the next one.
	encode(request []byte, f flight) []byte
	// decode takes what was received, reports the calls that it answers, and returns
	// what has to be sent in reply.
	decode(received []byte, answered func(flight)) ([]byte, error)
}

func (p Protocol) newCodec(streams int) codec {
	if p == GRPC {
		return newGRPCCodec(streams)
	}
	return new(http1Codec)
}
