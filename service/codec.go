package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectinprocess"
	"connectrpc.com/connect/v2/connectproto"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/admin-gateway/admin-gateway/service/connectdoor"
	"github.com/admin-gateway/admin-gateway/service/door"
	"github.com/admin-gateway/admin-gateway/service/grpcdoor"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// wireCodec is protobuf's binary form; an answer goes out as the bytes it is.
type wireCodec struct{ *connectproto.BinaryCodec }

// MarshalWrite writes an answer as it is, and encodes any other message.
func (c wireCodec) MarshalWrite(ctx context.Context, dst io.Writer, msg any) error {
	if a, ok := msg.(*pipeline.Response); ok {
		wire, err := a.Wire()
		if err == nil {
			_, err = dst.Write(wire)
		}
		return err
	}
	return c.BinaryCodec.MarshalWrite(ctx, dst, msg)
}

// Encoded implements [grpcdoor.Encoder] and [connectdoor.Encoder]: an answer is sent as it is kept.
func (c wireCodec) Encoded(msg any) (data []byte, ok bool, err error) {
	a, ok := msg.(*pipeline.Response)
	if !ok {
		return nil, false, nil
	}
	data, err = a.Wire()
	return data, true, err
}

// UnmarshalRead reads a request. Its error for too many elements is an
// *upstream.RequestError that names the field.
func (c wireCodec) UnmarshalRead(ctx context.Context, src io.Reader, msg any) error {
	m, ok := msg.(proto.Message)
	if !ok {
		return c.BinaryCodec.UnmarshalRead(ctx, src, msg)
	}
	text, err := textOf(src)
	if err != nil {
		return err
	}
	if err := boundsOf(door.CheckWire(text, m.ProtoReflect().Descriptor())); err != nil {
		return err
	}
	return c.UnmarshalOptions.Unmarshal(text, m)
}

// textOf is all of a message. The doors have read it, and bounded it, before they decode.
func textOf(src io.Reader) ([]byte, error) {
	if held, ok := src.(*bytes.Buffer); ok {
		return held.Next(held.Len()), nil
	}
	return io.ReadAll(src)
}

// boundsOf is the error for the caller whose request is beyond the bounds of a door.
func boundsOf(err error) error {
	if beyond, ok := errors.AsType[*door.ElementsError](err); ok {
		return &upstream.RequestError{Field: beyond.Field, Reason: beyond.Reason}
	}
	return err
}

// jsonCodec is protobuf's JSON form with the upstream's member names, which are
// the names of the fields. Requests with a member that the schema lacks are
// refused: what policy cannot see must not pass.
type jsonCodec struct{ *connectproto.JSONCodec }

func newJSONCodec() jsonCodec {
	c := connectproto.NewJSONCodec()
	c.MarshalOptions = pipeline.JSONOptions()
	c.UnmarshalOptions = protojson.UnmarshalOptions{DiscardUnknown: false}
	return jsonCodec{c}
}

// MarshalWrite writes the JSON form of an answer, which may be kept, or of any other
// message.
func (c jsonCodec) MarshalWrite(ctx context.Context, dst io.Writer, msg any) error {
	if a, ok := msg.(*pipeline.Response); ok {
		text, err := a.MessageJSON()
		if err == nil {
			_, err = dst.Write(text)
		}
		return err
	}
	return c.JSONCodec.MarshalWrite(ctx, dst, msg)
}

// Encoded implements [connectdoor.Encoder]: an answer is sent as it is kept.
func (c jsonCodec) Encoded(msg any) (data []byte, ok bool, err error) {
	a, ok := msg.(*pipeline.Response)
	if !ok {
		return nil, false, nil
	}
	data, err = a.MessageJSON()
	return data, true, err
}

// UnmarshalRead reads a request. Its error for a wrong field is an
// *upstream.RequestError that names it.
func (c jsonCodec) UnmarshalRead(ctx context.Context, src io.Reader, msg any) error {
	text, err := textOf(src)
	if err != nil {
		return err
	}
	if err := boundsOf(door.CheckJSON(text)); err != nil {
		return err
	}
	err = c.JSONCodec.UnmarshalRead(ctx, bytes.NewReader(text), msg)
	if err == nil {
		return nil
	}
	// protojson has no typed errors; what can be passed on is at the end of its text.
	if found := jsonFault.FindStringSubmatch(err.Error()); found != nil {
		if found[1] != "" {
			return &upstream.RequestError{Field: found[1], Reason: "is not a field of this request"}
		}
		return &upstream.RequestError{Field: found[3], Reason: "is not a valid " + found[2]}
	}
	if errors.Is(err, proto.Error) {
		// Its words quote the request, which the log must not.
		return fmt.Errorf("not the JSON form of the message %s", jsonPosition.FindString(err.Error()))
	}
	return err
}

// jsonPosition finds where protojson stopped to understand.
var jsonPosition = regexp.MustCompile(`\(line [0-9]+:[0-9]+\)`)

// jsonFault finds the field in what protojson says of a bad request.
var jsonFault = regexp.MustCompile(`unknown field "([A-Za-z0-9_.\[\]-]{1,64})"|invalid value for ([a-z0-9]+) field ([A-Za-z0-9_]{1,64})`)

// BinaryCodec is protobuf's binary form for doors outside of this package. An
// answer goes out as the wire bytes that are stored.
func BinaryCodec() connect.Codec { return wireCodec{connectproto.NewBinaryCodec()} }

var (
	_ grpcdoor.Encoder    = wireCodec{}
	_ connectdoor.Encoder = wireCodec{}
	_ connectdoor.Encoder = jsonCodec{}
)

// codecs are the forms of a message on the HTTP doors.
func codecs() []connect.Codec {
	return []connect.Codec{BinaryCodec(), newJSONCodec()}
}

// InProcess is a door without a wire: calls go straight to server, through all
// interceptors.
func InProcess(server *connect.Server) connect.Transport {
	return inProcess{connectinprocess.New(server, connectinprocess.WithCopyFunc(copyMessage))}
}

// inProcess gives calls their connection, which is none.
type inProcess struct{ connect.Transport }

// NewClientStream implements [connect.Transport].
func (t inProcess) NewClientStream(ctx context.Context, spec connect.Spec) (connect.ClientStream, error) {
	return t.Transport.NewClientStream(door.WithConnection(ctx, door.InProcess{}), spec)
}

// CopyMessage copies a message that the server has sent, whatever form it has, or that
// it gets, for doors in this process.
func CopyMessage(dst, src any) error { return copyMessage(dst, src) }

func copyMessage(dst, src any) error {
	a, ok := src.(*pipeline.Response)
	if !ok {
		return connectinprocess.ProtoCopy(dst, src)
	}
	m, ok := dst.(proto.Message)
	if !ok {
		return fmt.Errorf("receiving into %T, which is not a message", dst)
	}
	wire, err := a.Wire()
	if err != nil {
		return err
	}
	return proto.Unmarshal(wire, m)
}
