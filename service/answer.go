package service

import (
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
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/upstream"
)

// answer is a response in the forms in which callers get it: protobuf wire
// bytes of the message type, and what the upstream said. It may be shared, so
// nobody changes it.
type answer struct {
	wire, json []byte
	kind       protoreflect.MessageType
}

// message decodes the answer, for doors that cannot send wire bytes.
func (a *answer) message() (proto.Message, error) {
	m := a.kind.New().Interface()
	if err := proto.Unmarshal(a.wire, m); err != nil {
		return nil, fmt.Errorf("answer of %d bytes is no %s: %w", len(a.wire), a.kind.Descriptor().FullName(), err)
	}
	return m, nil
}

// id is that of the thing that the answer is about, "" where it says none.
func (a *answer) id() string {
	decoded, err := a.message()
	if err != nil {
		return ""
	}
	m := decoded.ProtoReflect()
	fields := m.Descriptor().Fields()
	if fields.Len() == 1 && fields.Get(0).Message() != nil && !fields.Get(0).IsList() {
		m = m.Get(fields.Get(0)).Message()
	}
	if id := m.Descriptor().Fields().ByName("id"); id != nil && id.Kind() == protoreflect.StringKind {
		return m.Get(id).String()
	}
	return ""
}

// wireCodec is protobuf's binary form; an answer goes out as the bytes it is.
type wireCodec struct{ *connectproto.BinaryCodec }

// MarshalWrite writes an answer as it is, and encodes any other message.
func (c wireCodec) MarshalWrite(ctx context.Context, dst io.Writer, msg any) error {
	if a, ok := msg.(*answer); ok {
		_, err := dst.Write(a.wire)
		return err
	}
	return c.BinaryCodec.MarshalWrite(ctx, dst, msg)
}

// jsonCodec is protobuf's JSON form with the upstream's member names, which are
// the names of the fields. Requests with a member that the schema lacks are
// refused: what policy cannot see must not pass.
type jsonCodec struct{ *connectproto.JSONCodec }

func newJSONCodec() jsonCodec {
	c := connectproto.NewJSONCodec()
	c.MarshalOptions = protojson.MarshalOptions{UseProtoNames: true}
	c.UnmarshalOptions = protojson.UnmarshalOptions{DiscardUnknown: false}
	return jsonCodec{c}
}

// MarshalWrite writes the JSON form of an answer or of any other message.
func (c jsonCodec) MarshalWrite(ctx context.Context, dst io.Writer, msg any) error {
	if a, ok := msg.(*answer); ok {
		m, err := a.message()
		if err != nil {
			return err
		}
		msg = m
	}
	return c.JSONCodec.MarshalWrite(ctx, dst, msg)
}

// UnmarshalRead reads a request. A field that is wrong comes as an
// *upstream.RequestError that names it.
func (c jsonCodec) UnmarshalRead(ctx context.Context, src io.Reader, msg any) error {
	err := c.JSONCodec.UnmarshalRead(ctx, src, msg)
	if err == nil {
		return nil
	}
	// protojson has no typed errors; its words end in what can be told.
	if found := jsonFault.FindStringSubmatch(err.Error()); found != nil {
		if found[1] != "" {
			return &upstream.RequestError{Field: found[1], Reason: "is no field of this request"}
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
// answer goes out as the wire bytes that it is kept in.
func BinaryCodec() connect.Codec { return wireCodec{connectproto.NewBinaryCodec()} }

// codecs are the forms of a message on the HTTP doors.
func codecs() []connect.Codec {
	return []connect.Codec{BinaryCodec(), newJSONCodec()}
}

// InProcess is a door without a wire: calls go straight to server, through all
// interceptors.
func InProcess(server *connect.Server) connect.Transport {
	return connectinprocess.New(server, connectinprocess.WithCopyFunc(copyMessage))
}

func copyMessage(dst, src any) error {
	a, ok := src.(*answer)
	if !ok {
		return connectinprocess.ProtoCopy(dst, src)
	}
	m, ok := dst.(proto.Message)
	if !ok {
		return fmt.Errorf("receiving into %T, which is no message", dst)
	}
	return proto.Unmarshal(a.wire, m)
}
