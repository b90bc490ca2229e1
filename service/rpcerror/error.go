package rpcerror

import (
	"context"
	"errors"
	"strings"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectproto"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
)

// Error is a failure as its caller sees it. The Cause is for the log, and no
// door sends it. An Error is not changed after it was returned.
//
// The doors find a [*connect.Error] in it ([errors.As]) with the code, the
// message, and the details that the other fields make.
type Error struct {
	// Code is the gRPC status code.
	Code connect.Code
	// Reason is one of the stable reasons of this package or of package upstream:
	// the reason of the google.rpc.ErrorInfo.
	Reason string
	// Message explains the failure to the caller. It holds no secret, no other
	// caller's data and no text of a Go error.
	Message string
	// Metadata are those of the google.rpc.ErrorInfo.
	Metadata map[string]string
	// Violations become a google.rpc.BadRequest.
	Violations []*errdetails.BadRequest_FieldViolation
	// RetryAfter becomes a google.rpc.RetryInfo; 0 means none.
	RetryAfter time.Duration
	// Done is the write that was made although the call failed; nil: none.
	Done *controlv1.WriteDone
	// Cause is for the log.
	Cause error

	// others are details that this build does not know, of an error that another
	// build has stored.
	others []*connect.ErrorDetail
}

// InvalidField is the error of a request with one invalid field.
func InvalidField(field, reason string, cause error) *Error {
	return &Error{
		Code: connect.CodeInvalidArgument, Reason: ReasonInvalidRequest, Cause: cause,
		Message:    "invalid request: " + field + ": " + reason,
		Violations: []*errdetails.BadRequest_FieldViolation{{Field: field, Description: reason}},
	}
}

// Error returns the code and the caller's message, without the cause.
func (e *Error) Error() string { return e.Code.String() + ": " + e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// As gives [errors.As] the *connect.Error that the doors serialize. It comes
// before the cause, which may hold one that is not for the caller.
func (e *Error) As(target any) bool {
	wanted, ok := target.(**connect.Error)
	if ok {
		*wanted = e.connect()
	}
	return ok
}

func (e *Error) connect() *connect.Error {
	converted := connect.NewError(e.Code, e.Message).WithCause(e.Cause)
	for _, detail := range e.details() {
		packed, err := connectproto.NewErrorDetail(detail)
		if err != nil {
			converted = converted.WithCause(err)
			continue
		}
		converted = converted.WithDetail(packed)
	}
	for _, packed := range e.others {
		converted = converted.WithDetail(packed)
	}
	return converted
}

func (e *Error) details() []proto.Message {
	var details []proto.Message
	if e.Reason != "" || len(e.Metadata) > 0 {
		details = append(details, &errdetails.ErrorInfo{Reason: e.Reason, Domain: Domain, Metadata: e.Metadata})
	}
	if len(e.Violations) > 0 {
		details = append(details, &errdetails.BadRequest{FieldViolations: e.Violations})
	}
	if e.RetryAfter > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(e.RetryAfter)})
	}
	if e.Done != nil {
		details = append(details, e.Done)
	}
	return details
}

// Encode encodes the part of an error that its caller sees: a
// google.rpc.Status on the wire. The cause is not in it.
func Encode(err error) []byte {
	seen := ToCaller(err)
	s := &status.Status{Code: int32(seen.Code), Message: seen.Message}
	for _, detail := range seen.connect().Details() {
		s.Details = append(s.Details, connectproto.ErrorDetailToAny(detail))
	}
	b, err := proto.Marshal(s)
	if err != nil {
		// A text that is not UTF-8. The code says most of it.
		b, _ = proto.Marshal(&status.Status{Code: s.GetCode()})
	}
	return b
}

// errNotEncoded is the error of [Decode].
var errNotEncoded = errors.New("not an encoded error")

// Decode reads what [Encode] wrote, also where another build did. It fails for
// other bytes.
func Decode(b []byte) (*Error, error) {
	s := new(status.Status)
	if err := proto.Unmarshal(b, s); err != nil {
		return nil, errors.Join(errNotEncoded, err)
	}
	if s.GetCode() <= 0 {
		return nil, errNotEncoded
	}
	e := &Error{Code: connect.Code(s.GetCode()), Message: s.GetMessage()}
	for _, packed := range s.GetDetails() {
		detail := &connect.ErrorDetail{Type: string(packed.MessageName()), Value: packed.GetValue()}
		if !e.take(detail) {
			e.others = append(e.others, detail)
		}
	}
	return e, nil
}

// take reads a detail into its field; false when this build has none for it.
func (e *Error) take(packed *connect.ErrorDetail) bool {
	detail, err := connectproto.UnmarshalErrorDetail(packed)
	if err != nil {
		return false
	}
	switch d := detail.(type) {
	case *errdetails.ErrorInfo:
		if e.Reason != "" || d.GetReason() == "" || d.GetDomain() != Domain {
			return false
		}
		e.Reason, e.Metadata = d.GetReason(), d.GetMetadata()
	case *errdetails.BadRequest:
		if e.Violations != nil {
			return false
		}
		e.Violations = d.GetFieldViolations()
	case *errdetails.RetryInfo:
		if e.RetryAfter != 0 || d.GetRetryDelay().AsDuration() <= 0 {
			return false
		}
		e.RetryAfter = d.GetRetryDelay().AsDuration()
	case *controlv1.WriteDone:
		if e.Done != nil {
			return false
		}
		e.Done = d
	default:
		return false
	}
	return true
}

// Clip bounds a text that a caller chose and that is repeated, to the caller or in
// the log.
func Clip(s string) string {
	const most = 256
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// WithCallerErrors is the interceptor that turns every error into one that its
// caller may see.
func WithCallerErrors(next connect.ServerFunc) connect.ServerFunc {
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		if err := next(ctx, spec, stream); err != nil {
			return ToCaller(err)
		}
		return nil
	}
}
