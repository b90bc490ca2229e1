package idempotency

import (
	"encoding/binary"

	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// storedOutcome is the outcome of a write: the upstream's answer, of which every
// door has its form, or the error that the caller got.
type storedOutcome struct {
	json      []byte
	err       error
	requestID string // of the upstream
}

// response is the answer for a repeated call.
func (o storedOutcome) response(permit admission.Permit) (*pipeline.Response, error) {
	if o.err != nil {
		return nil, o.err
	}
	answer, err := permit.Method().Endpoint.Decode(o.json)
	if answer.JSON == nil {
		return nil, err
	}
	return pipeline.NewResponse(permit, pipeline.Answer{Wire: answer.Wire, JSON: answer.JSON, Omitted: answer.Omitted, Untyped: err}, o.requestID), nil
}

// The encoding: version ‖ kind ‖ length of the upstream's id ‖ id ‖ rest, which is
// the JSON of the answer, or the wire bytes of a google.rpc.Status.
const (
	outcomeVersion = 1
	outcomeAnswer  = 'A'
	outcomeError   = 'E'
)

// encodeOutcome makes bytes of an outcome. Of an error it takes the part for
// the caller, and no cause.
func encodeOutcome(o storedOutcome) []byte {
	kind, rest := byte(outcomeAnswer), o.json
	if o.err != nil {
		kind, rest = outcomeError, rpcerror.Encode(o.err)
	}
	b := binary.AppendUvarint([]byte{outcomeVersion, kind}, uint64(len(o.requestID)))
	b = append(b, o.requestID...)
	return append(b, rest...)
}

// decodeOutcome returns false for bytes that this build cannot read.
func decodeOutcome(b []byte) (storedOutcome, bool) {
	if len(b) < 2 || b[0] != outcomeVersion {
		return storedOutcome{}, false
	}
	length, n := binary.Uvarint(b[2:])
	rest := b[2+max(n, 0):]
	if n <= 0 || length > uint64(len(rest)) {
		return storedOutcome{}, false
	}
	o := storedOutcome{requestID: string(rest[:length])}
	rest = rest[length:]
	switch b[1] {
	case outcomeAnswer:
		o.json = rest
		return o, true
	case outcomeError:
		if failure, err := rpcerror.Decode(rest); err == nil {
			o.err = failure
			return o, true
		}
	}
	return storedOutcome{}, false
}
