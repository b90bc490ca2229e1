package grpcdoor

import (
	"bytes"
	"fmt"
	"io"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectgzip"
	_ "google.golang.org/grpc/encoding/gzip" // grpc-go compresses answers with what is registered.
	"google.golang.org/grpc/mem"
)

// frame is a message as it travels.
type frame struct{ data []byte }

// frames is a codec of grpc-go's that leaves messages alone: it passes frames.
type frames struct{}

// Name is the subtype of the content type.
func (frames) Name() string { return connect.CodecNameProto }

// Marshal gives the bytes of a frame.
func (frames) Marshal(v any) (mem.BufferSlice, error) {
	f, ok := v.(*frame)
	if !ok {
		return nil, fmt.Errorf("%T is no frame", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(f.data)}, nil
}

// Unmarshal copies bytes into a frame.
func (frames) Unmarshal(data mem.BufferSlice, v any) error {
	f, ok := v.(*frame)
	if !ok {
		return fmt.Errorf("%T is no frame", v)
	}
	f.data = make([]byte, data.Len())
	data.CopyTo(f.data)
	return nil
}

// squeezed stands in front of a frame that came compressed. No valid message
// begins with it: it would be the tag of field 0, of a type that does not exist.
// An uncompressed frame that begins with it is therefore refused like any other
// that is no message, or, if what follows happens to be compressed, taken as if
// it had been marked so; the limits are the same.
const squeezed = 0x07

// marker is a decompressor of grpc-go's that only marks what is compressed. The
// stream does the work: it can say what is wrong with a message as the other
// doors do, where grpc-go would end the call with words of its own.
type marker struct{}

// Type is the compression.
func (marker) Type() string { return connect.CompressionNameGzip }

// Do marks a frame, which is no longer than grpc-go lets one be.
func (marker) Do(r io.Reader) ([]byte, error) {
	var marked bytes.Buffer
	if sized, ok := r.(interface{ Remaining() int }); ok {
		marked.Grow(1 + sized.Remaining() + bytes.MinRead)
	}
	marked.WriteByte(squeezed)
	if _, err := marked.ReadFrom(r); err != nil {
		return nil, err
	}
	return marked.Bytes(), nil
}

// opener takes messages out of frames, up to a size.
type opener struct {
	gzip *connectgzip.Compressor
	most int // bytes, as it came and as it is
}

// open gives the message in f. An error is a *connect.Error with the code that
// the one-port door has for it.
func (o opener) open(f frame) ([]byte, connect.MessageStats, error) {
	if len(f.data) == 0 || f.data[0] != squeezed {
		if len(f.data) > o.most {
			return nil, connect.MessageStats{}, o.tooLarge()
		}
		return f.data, connect.MessageStats{Size: len(f.data)}, nil
	}
	compressed := f.data[1:]
	if len(compressed) > o.most {
		return nil, connect.MessageStats{}, o.tooLarge()
	}
	message, err := o.decompress(compressed)
	if err != nil {
		return nil, connect.MessageStats{}, connect.NewError(connect.CodeInvalidArgument, "decompress the message").WithCause(err)
	}
	if len(message) > o.most {
		return nil, connect.MessageStats{}, o.tooLarge()
	}
	return message, connect.MessageStats{Size: len(message), CompressedSize: len(compressed)}, nil
}

// decompress stops one byte after the limit. Nothing is the empty message, which
// some clients do not compress although they say so.
func (o opener) decompress(compressed []byte) ([]byte, error) {
	if len(compressed) == 0 {
		return nil, nil
	}
	r, err := o.gzip.Decompress(bytes.NewReader(compressed))
	if err != nil {
		return nil, err
	}
	message, err := io.ReadAll(io.LimitReader(r, int64(o.most)+1))
	if closed := r.Close(); err == nil {
		err = closed
	}
	return message, err
}

func (o opener) tooLarge() error {
	return connect.Errorf(connect.CodeResourceExhausted, "the message is larger than %d bytes", o.most)
}
