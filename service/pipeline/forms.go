package pipeline

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Forms are the forms of a stored answer, of which those are kept that were asked for.
// The first call for one may have to make it. Its errors are about a store that is
// damaged, or are those of the call's context.
type Forms interface {
	// Wire is the answer in protobuf's binary form, of the method's response type.
	Wire() ([]byte, error)
	// JSON is the upstream's answer.
	JSON() ([]byte, error)
	// MessageJSON is what [MessageJSON] makes of Wire.
	MessageJSON() ([]byte, error)
}

// JSONOptions are those of protobuf's JSON form: with the upstream's member names, which
// are the names of the fields.
func JSONOptions() protojson.MarshalOptions { return protojson.MarshalOptions{UseProtoNames: true} }

// MessageJSON makes protobuf's JSON form of the wire bytes of a message.
func MessageJSON(message protoreflect.MessageType, wire []byte) ([]byte, error) {
	m, err := decode(message, wire)
	if err != nil {
		return nil, err
	}
	return JSONOptions().Marshal(m)
}

func decode(message protoreflect.MessageType, wire []byte) (proto.Message, error) {
	m := message.New().Interface()
	if err := proto.Unmarshal(wire, m); err != nil {
		return nil, fmt.Errorf("answer of %d bytes is not a %s: %w", len(wire), message.Descriptor().FullName(), err)
	}
	return m, nil
}
