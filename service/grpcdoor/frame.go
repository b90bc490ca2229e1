package grpcdoor

import (
	"bytes"
	"fmt"
	"io"
	"sync"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectgzip"
	_ "google.golang.org/grpc/encoding/gzip" // grpc-go compresses answers with registered compressors.
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
		return nil, fmt.Errorf("%T is not a frame", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(f.data)}, nil
}

// Unmarshal copies bytes into a frame.
func (frames) Unmarshal(data mem.BufferSlice, v any) error {
	f, ok := v.(*frame)
	if !ok {
		return fmt.Errorf("%T is not a frame", v)
	}
	f.data = make([]byte, data.Len())
	data.CopyTo(f.data)
	return nil
}

// squeezed stands in front of a frame that came compressed. No valid message
// begins with it: it would be the tag of field 0, of a type that does not exist.
// An uncompressed frame that begins with it is therefore refused like any other
// that is not a message, or, if the rest happens to be compressed, treated as if
// it had been marked so; the limits are the same.
const squeezed = 0x07

// marker is a decompressor for grpc-go that only marks compressed messages. The
// stream decompresses them: it returns the errors of the other doors, where
// grpc-go would end the call with its own.
type marker struct{}

// Type is the compression.
func (marker) Type() string { return connect.CompressionNameGzip }

// Do marks a frame, which grpc-go has limited in size.
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

// opener takes messages out of frames, up to a size. It is safe for concurrent
// use.
type opener struct {
	gzip *connectgzip.Compressor
	most int // bytes, as it came and as it is
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
	if len(f.data) == 0 || f.data[0] != squeezed {
		if len(f.data) > o.most {
			return connect.MessageStats{}, o.tooLarge()
		}
		return connect.MessageStats{Size: len(f.data)}, read(bytes.NewBuffer(f.data))
	}
	compressed := f.data[1:]
	if len(compressed) > o.most {
		return connect.MessageStats{}, o.tooLarge()
	}
	room, ok := o.room.Get().(*bytes.Buffer)
	if !ok {
		room = new(bytes.Buffer)
	}
	defer o.room.Put(room)
	room.Reset()
	if err := o.decompress(room, compressed); err != nil {
		return connect.MessageStats{}, connect.NewError(connect.CodeInvalidArgument, "decompress the message").WithCause(err)
	}
	if room.Len() > o.most {
		return connect.MessageStats{}, o.tooLarge()
	}
	return connect.MessageStats{Size: room.Len(), CompressedSize: len(compressed)}, read(room)
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

func (o *opener) tooLarge() error {
	return connect.Errorf(connect.CodeResourceExhausted, "the message is larger than %d bytes", o.most)
}
