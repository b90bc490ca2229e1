package grpcdoor

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectgzip"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip" // grpc-go compresses answers with registered compressors.
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
)

// frame is a message as it travels.
type frame struct {
	data       []byte
	compressed bool
}

// frames is a codec of grpc-go's for frames, which it sends as they are.
type frames struct{}

// Name is the subtype of the content type.
func (frames) Name() string { return connect.CodecNameProto }

// Marshal gives the bytes of a frame.
func (frames) Marshal(v any) (mem.BufferSlice, error) {
	f, ok := v.(*frame)
	if !ok {
		return nil, fmt.Errorf("%T is not a frame", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(f.data)}, nil
}

// Unmarshal fails: frames are read beneath it, by a [reader].
func (frames) Unmarshal(mem.BufferSlice, any) error { return errors.ErrUnsupported }

// transport is what grpc-go's RecvMsg reads from. RecvMsg ends a call with a status of its
// own where a read fails, also one that was interrupted so that the call can end with
// another; so the door reads the frames itself.
type transport interface {
	grpc.ServerTransportStream
	// ReadMessageHeader fills header, or fails: with io.EOF at the end of the stream.
	ReadMessageHeader(header []byte) error
	// Read gives the next n bytes, for its caller to free.
	Read(n int) (mem.BufferSlice, error)
	// RecvCompress is the compression of the messages that have it.
	RecvCompress() string
}

// reader reads the frames of a call.
type reader struct {
	from transport
	most int // bytes of a frame
	// header is the prefix of a message (gRPC over HTTP/2, Length-Prefixed-Message).
	header [5]byte
}

// newReader makes one for a call of grpc-go's, whose context is wire.
func newReader(wire context.Context, most int) (reader, error) {
	from, ok := grpc.ServerTransportStreamFromContext(wire).(transport)
	if !ok {
		return reader{}, connect.NewError(connect.CodeInternal, "this build of the gateway does not fit its transport")
	}
	return reader{from: from, most: most}, nil
}

// next waits for a frame. At the end it is io.EOF.
func (r *reader) next() (frame, error) {
	if err := r.from.ReadMessageHeader(r.header[:]); err != nil {
		return frame{}, err
	}
	f := frame{compressed: r.header[0] == 1}
	if r.header[0] > 1 {
		return f, status.Errorf(codes.Internal, "a message has the flags %#x", r.header[0])
	}
	if f.compressed && r.from.RecvCompress() != connect.CompressionNameGzip {
		return f, status.Error(codes.Internal, "a message is compressed, and its stream is not")
	}
	size := int64(binary.BigEndian.Uint32(r.header[1:]))
	if size > int64(r.most) {
		return f, tooLarge(r.most)
	}
	data, err := r.from.Read(int(size))
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return f, err
	}
	defer data.Free()
	f.data = make([]byte, data.Len())
	data.CopyTo(f.data)
	return f, nil
}

// opener takes messages out of frames, up to a size. It is safe for concurrent
// use.
type opener struct {
	gzip *connectgzip.Compressor
	most int // bytes of a message
	// room holds buffers for decompressed messages. They are reused, or a client
	// who sends little that becomes much would keep the garbage collector busy.
	room sync.Pool
}

func newOpener(most int) *opener {
	return &opener{gzip: connectgzip.New(), most: most}
}

// open has the message in f read, which is gone when read returns. An error is a
// *connect.Error with the code that the one-port door has for it, or what read
// gives.
func (o *opener) open(f frame, read func(io.Reader) error) (connect.MessageStats, error) {
	if !f.compressed {
		return connect.MessageStats{Size: len(f.data)}, read(bytes.NewBuffer(f.data))
	}
	room, ok := o.room.Get().(*bytes.Buffer)
	if !ok {
		room = new(bytes.Buffer)
	}
	defer o.room.Put(room)
	room.Reset()
	if err := o.decompress(room, f.data); err != nil {
		return connect.MessageStats{}, connect.NewError(connect.CodeInvalidArgument, "decompress the message").WithCause(err)
	}
	if room.Len() > o.most {
		return connect.MessageStats{}, tooLarge(o.most)
	}
	return connect.MessageStats{Size: room.Len(), CompressedSize: len(f.data)}, read(room)
}

// decompress stops one byte after the limit. No bytes are the empty message,
// which some clients do not compress although they say so.
func (o *opener) decompress(into *bytes.Buffer, compressed []byte) error {
	if len(compressed) == 0 {
		return nil
	}
	r, err := o.gzip.Decompress(bytes.NewReader(compressed))
	if err != nil {
		return err
	}
	_, err = into.ReadFrom(io.LimitReader(r, int64(o.most)+1))
	if closed := r.Close(); err == nil {
		err = closed
	}
	return err
}

// tooLarge is the error for a message of more bytes than these.
func tooLarge(most int) error {
	return connect.Errorf(connect.CodeResourceExhausted, "the message is larger than %d bytes", most)
}
