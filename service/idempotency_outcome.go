package service

import (
	"encoding/binary"
	"errors"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectproto"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
)

// keptOutcome is what came of a write: what the upstream said, which every door
// has its own form of, or the error that the caller was told.
type keptOutcome struct {
	json      []byte
	err       error
	requestID string // of the upstream
}

// answer is what its caller is told again.
func (o keptOutcome) answer(m *Method) (*answer, error) {
	if o.err != nil {
		return nil, o.err
	}
	wire, err := m.Endpoint.Decode(o.json)
	if err != nil {
		return nil, err
	}
	return &answer{wire: wire, json: o.json, kind: m.Response}, nil
}

// The encoding: version ‖ kind ‖ length of the upstream's id ‖ id ‖ rest, which is
// the JSON of the answer, or the wire bytes of a google.rpc.Status.
const (
	outcomeVersion = 1
	outcomeAnswer  = 'A'
	outcomeError   = 'E'
)

// encodeOutcome makes bytes of an outcome. Of an error it takes what its caller
// may see, and no cause.
func encodeOutcome(o keptOutcome) []byte {
	kind, rest := byte(outcomeAnswer), o.json
	if o.err != nil {
		kind, rest = outcomeError, encodeError(toCaller(o.err))
	}
	b := binary.AppendUvarint([]byte{outcomeVersion, kind}, uint64(len(o.requestID)))
	b = append(b, o.requestID...)
	return append(b, rest...)
}

func encodeError(err error) []byte {
	s := &status.Status{Code: int32(connect.CodeOf(err))}
	if e, ok := errors.AsType[*connect.Error](err); ok {
		s.Message = e.Message()
		for _, detail := range e.Details() {
			s.Details = append(s.Details, connectproto.ErrorDetailToAny(detail))
		}
	}
	b, err := proto.Marshal(s)
	if err != nil {
		// Text that is no UTF-8: the code says the most of it.
		b, _ = proto.Marshal(&status.Status{Code: s.GetCode()})
	}
	return b
}

// decodeOutcome is false for what this build cannot read.
func decodeOutcome(b []byte) (keptOutcome, bool) {
	if len(b) < 2 || b[0] != outcomeVersion {
		return keptOutcome{}, false
	}
	length, n := binary.Uvarint(b[2:])
	rest := b[2+max(n, 0):]
	if n <= 0 || length > uint64(len(rest)) {
		return keptOutcome{}, false
	}
	o := keptOutcome{requestID: string(rest[:length])}
	rest = rest[length:]
	switch b[1] {
	case outcomeAnswer:
		o.json = rest
		return o, true
	case outcomeError:
		if err, ok := decodeError(rest); ok {
			o.err = err
			return o, true
		}
	}
	return keptOutcome{}, false
}

// decodeError is false for what this build cannot read.
func decodeError(b []byte) (*told, bool) {
	s := new(status.Status)
	if proto.Unmarshal(b, s) != nil || s.GetCode() <= 0 {
		return nil, false //nolint:nilerr // What cannot be read is nobody's answer, whatever is wrong with it.
	}
	e := connect.NewError(connect.Code(s.GetCode()), s.GetMessage())
	for _, packed := range s.GetDetails() {
		e = e.WithDetail(&connect.ErrorDetail{Type: string(packed.MessageName()), Value: packed.GetValue()})
	}
	return &told{err: e}, true
}
