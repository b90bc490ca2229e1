package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectproto"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
)

// Kind is the kind of an [*Error]: its code, and OutcomeUnknown.
type Kind string

// The kinds.
const (
	Canceled           Kind = "Canceled"
	Unknown            Kind = "Unknown"
	InvalidArgument    Kind = "InvalidArgument"
	DeadlineExceeded   Kind = "DeadlineExceeded"
	NotFound           Kind = "NotFound"
	AlreadyExists      Kind = "AlreadyExists"
	PermissionDenied   Kind = "PermissionDenied"
	ResourceExhausted  Kind = "ResourceExhausted"
	FailedPrecondition Kind = "FailedPrecondition"
	Aborted            Kind = "Aborted"
	OutOfRange         Kind = "OutOfRange"
	Unimplemented      Kind = "Unimplemented"
	Internal           Kind = "Internal"
	Unavailable        Kind = "Unavailable"
	DataLoss           Kind = "DataLoss"
	Unauthenticated    Kind = "Unauthenticated"
	// OutcomeUnknown: a write was sent, and nobody knows whether it was made. Read before
	// it is made again.
	OutcomeUnknown Kind = "OutcomeUnknown"
)

// kinds are those of the codes, in their order.
var kinds = [...]Kind{
	"", Canceled, Unknown, InvalidArgument, DeadlineExceeded, NotFound, AlreadyExists, PermissionDenied, ResourceExhausted,
	FailedPrecondition, Aborted, OutOfRange, Unimplemented, Internal, Unavailable, DataLoss, Unauthenticated,
}

// Error is the error of every call.
type Error struct {
	Kind Kind
	// Code is the code.
	Code connect.Code
	// Reason is for programs, as docs/errors.md lists them; empty where the error is not
	// the gateway's.
	Reason string
	// Message is for people.
	Message string
	// Violations are the fields of the request that are at fault.
	Violations []Violation
	// RetryDelay is how long to wait before the call can succeed; 0 where nobody knows.
	RetryDelay time.Duration
	// RequestID is the gateway's id of the call, UpstreamRequestID the upstream's.
	RequestID, UpstreamRequestID string
	// Permission is the one that is missing, and Project the project for which it is.
	Permission, Project string
	// Metadata are all of the error's.
	Metadata map[string]string

	// delayed says that the gateway gave a time to wait, which can be 0.
	delayed bool
	err     *connect.Error
}

// Violation is a field of a request, and its fault.
type Violation struct{ Field, Description string }

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Code.String())
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	var known []string
	if e.Reason != "" {
		known = append(known, e.Reason)
	}
	if e.RequestID != "" {
		known = append(known, "request "+e.RequestID)
	}
	if len(known) > 0 {
		fmt.Fprintf(&b, " (%s)", strings.Join(known, ", "))
	}
	return b.String()
}

// Unwrap returns the [*connect.Error].
func (e *Error) Unwrap() error { return e.err }

// KindOf is the kind of an error; empty where it has no [*Error].
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return ""
}

// newError is the error of a call with a context, of which info has the headers.
func newError(ctx context.Context, err error, info *connect.CallInfo) *Error {
	cause := settled(ctx, err)
	e := &Error{Code: cause.Code(), Kind: Unknown, Message: cause.Message(), err: cause, RequestID: header(info, "X-Request-Id")}
	if int(e.Code) < len(kinds) {
		e.Kind = kinds[e.Code]
	}
	for _, detail := range cause.Details() {
		message, err := connectproto.UnmarshalErrorDetail(detail)
		if err != nil {
			continue // A detail of tomorrow.
		}
		switch m := message.(type) {
		case *errdetails.ErrorInfo:
			if e.Reason != "" {
				continue // The first one counts.
			}
			e.Reason, e.Metadata = m.GetReason(), m.GetMetadata()
			e.Permission, e.Project, e.UpstreamRequestID = e.Metadata["permission"], e.Metadata["project"], e.Metadata["upstream_request_id"]
		case *errdetails.BadRequest:
			for _, v := range m.GetFieldViolations() {
				e.Violations = append(e.Violations, Violation{v.GetField(), v.GetDescription()})
			}
		case *errdetails.RetryInfo:
			e.RetryDelay, e.delayed = m.GetRetryDelay().AsDuration(), true
		}
	}
	if e.Code == connect.CodeUnknown && e.Reason == "OUTCOME_UNKNOWN" {
		e.Kind = OutcomeUnknown
	}
	return e
}

// settled is the error with the code that it deserves. The library has several for a
// connection that was cut; gRPC has UNAVAILABLE.
func settled(ctx context.Context, err error) *connect.Error {
	cause, ok := errors.AsType[*connect.Error](err)
	code, message := connect.CodeUnknown, err.Error()
	if ok {
		code, message = cause.Code(), cause.Message()
	}
	switch {
	case ok && cause.IsRemote():
		return cause
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		code = connect.CodeDeadlineExceeded
	case ctx.Err() != nil:
		code = connect.CodeCanceled
	case code == connect.CodeCanceled, code == connect.CodeDeadlineExceeded, code == connect.CodeUnknown, errors.Is(err, io.ErrUnexpectedEOF):
		code = connect.CodeUnavailable
	}
	if ok && code == cause.Code() {
		return cause
	}
	return connect.NewError(code, message).WithCause(err)
}

// header is a header of an answer, or a trailer: an answer without a message has its
// headers there.
func header(info *connect.CallInfo, name string) string {
	if value := info.ResponseHeader().Get(name); value != "" {
		return value
	}
	return info.ResponseTrailer().Get(name)
}

// passes says whether the same call can succeed a little later.
func (e *Error) passes() bool {
	if _, distrusted := errors.AsType[*tls.CertificateVerificationError](e); distrusted {
		return false
	}
	switch e.Code {
	case connect.CodeUnavailable:
		return !slices.Contains([]string{"UPSTREAM_BAD_RESPONSE", "UPSTREAM_REDIRECTED"}, e.Reason)
	case connect.CodeResourceExhausted:
		return e.delayed
	default:
		return false
	}
}

// keepsNoKeys says whether a write was refused because of its idempotency key alone.
func (e *Error) keepsNoKeys() bool {
	return e.Reason == "IDEMPOTENCY_NOT_CONFIGURED" || e.Reason == "IDEMPOTENCY_NEEDS_ENCRYPTION"
}
