package service

import (
	"context"
	"errors"
	"maps"
	"os"
	"strconv"
	"time"

	"buf.build/go/protovalidate"
	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectproto"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/pages"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// ErrorDomain is the domain of every google.rpc.ErrorInfo that this gateway
// sends.
const ErrorDomain = "admin-gateway"

// Reasons of errors that arise in the gateway itself; those of the upstream
// are in package upstream. They are stable: callers branch on them.
const (
	// ReasonMalformedRequest is a request that is no message of its type.
	ReasonMalformedRequest = "MALFORMED_REQUEST"
	// ReasonInvalidRequest is a request that breaks a rule of its fields.
	ReasonInvalidRequest = "INVALID_REQUEST"
	// ReasonUnauthenticated is a call without a valid credential.
	ReasonUnauthenticated = "UNAUTHENTICATED"
	// ReasonPermissionDenied is a call that its caller's policy does not allow.
	ReasonPermissionDenied = "PERMISSION_DENIED"
	// ReasonCallerLimit is a call beyond its caller's own rate or number of
	// calls.
	ReasonCallerLimit = "CALLER_LIMIT"
	// ReasonAuditUnavailable is a write that was not made, because it could not
	// be recorded.
	ReasonAuditUnavailable = "AUDIT_UNAVAILABLE"
	// ReasonWriteNotRecorded is a write that was made and could not be recorded.
	// A controlv1.WriteDone says what is known of it.
	ReasonWriteNotRecorded = "WRITE_NOT_RECORDED"
	// ReasonIdempotencyKeyInvalid is an Idempotency-Key that is none.
	ReasonIdempotencyKeyInvalid = "IDEMPOTENCY_KEY_INVALID"
	// ReasonIdempotencyKeyReused is one that came with another request before.
	ReasonIdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED"
	// ReasonIdempotencyUnavailable is a write that was not made, because what
	// comes of it could not be kept.
	ReasonIdempotencyUnavailable = "IDEMPOTENCY_UNAVAILABLE"
	// ReasonIdempotencyNeedsEncryption is a write that was not made, because its
	// answer holds a secret and would be kept in the clear.
	ReasonIdempotencyNeedsEncryption = "IDEMPOTENCY_NEEDS_ENCRYPTION"
	// ReasonIdempotencyNotConfigured is a write with a key where none are kept.
	ReasonIdempotencyNotConfigured = "IDEMPOTENCY_NOT_CONFIGURED"
	// ReasonNoCache is a question about a cache that the gateway does not have.
	ReasonNoCache = "NO_CACHE"
	// ReasonNoPacing is a question about a budget that the gateway does not keep.
	ReasonNoPacing = "NO_PACING"
	// ReasonSharedCacheUnavailable is a question that the shared cache would have
	// to answer, and does not.
	ReasonSharedCacheUnavailable = "SHARED_CACHE_UNAVAILABLE"
	// ReasonEndlessList is a list of the upstream's whose pages lead nowhere.
	ReasonEndlessList = "ENDLESS_LIST"
	// ReasonUnknownMethod is a procedure that the catalog does not have.
	ReasonUnknownMethod = "UNKNOWN_METHOD"
	// ReasonDeadlineExceeded is a call that took longer than it might.
	ReasonDeadlineExceeded = "DEADLINE_EXCEEDED"
	// ReasonCanceled is a call that its caller gave up.
	ReasonCanceled = "CANCELED"
	// ReasonStopping is a stream that ends because the gateway does.
	ReasonStopping = "STOPPING"
	// ReasonHealthLimit is a health check beyond what one address may ask.
	ReasonHealthLimit = "HEALTH_LIMIT"
	// ReasonInternal is a fault of the gateway; the log says which.
	ReasonInternal = "INTERNAL"
)

// fault is what a caller is told; what the log keeps is its cause.
type fault struct {
	code       connect.Code
	reason     string
	message    string
	metadata   map[string]string
	violations []*errdetails.BadRequest_FieldViolation
	retryAfter time.Duration
	done       *controlv1.WriteDone
	cause      error
}

// err makes the error that the doors send: code, message, and details. The
// cause stays here.
func (f fault) err() error {
	details := []proto.Message{&errdetails.ErrorInfo{Reason: f.reason, Domain: ErrorDomain, Metadata: f.metadata}}
	if len(f.violations) > 0 {
		details = append(details, &errdetails.BadRequest{FieldViolations: f.violations})
	}
	if f.retryAfter > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(f.retryAfter)})
	}
	if f.done != nil {
		details = append(details, f.done)
	}
	e := connect.NewError(f.code, f.message).WithCause(f.cause)
	for _, detail := range details {
		packed, err := connectproto.NewErrorDetail(detail)
		if err != nil {
			e = e.WithCause(err)
			continue
		}
		e = e.WithDetail(packed)
	}
	return &told{e, f}
}

// told marks an error that was made for a caller, so that nothing else reaches
// one.
type told struct {
	err   *connect.Error
	fault fault
}

func (t *told) Error() string { return t.err.Error() }

// Unwrap gives the doors the error that they serialize.
func (t *told) Unwrap() error { return t.err }

// errorRow is a row of the table: the code that a caller sees for what the
// upstream did, and what it is told when the upstream said nothing that may be
// passed on.
type errorRow struct {
	code    connect.Code
	message string
}

// outcomes is the table.
var outcomes = map[upstream.Kind]errorRow{
	upstream.InvalidArgument:    {connect.CodeInvalidArgument, "the upstream refused the request"},
	upstream.NotFound:           {connect.CodeNotFound, "not found upstream"},
	upstream.Conflict:           {connect.CodeAborted, "the upstream's state does not allow it"},
	upstream.RateLimited:        {connect.CodeResourceExhausted, "the upstream's request budget is used up"},
	upstream.Unavailable:        {connect.CodeUnavailable, "the upstream gave no usable answer; try again later"},
	upstream.OutcomeUnknown:     {connect.CodeUnknown, "the upstream's answer was lost: the change may have been made; look before you repeat it"},
	upstream.CredentialRejected: {connect.CodeInternal, "the upstream does not accept the gateway's own credential"},
	upstream.Canceled:           {connect.CodeCanceled, "the call was canceled; nothing was changed"},
	upstream.DeadlineExceeded:   {connect.CodeDeadlineExceeded, "the deadline passed; nothing was changed"},
}

// unsent are the words for calls that the gateway did not send. Their reasons
// tell them from the upstream's own refusals, which have the same kind.
var unsent = map[string]string{
	upstream.ReasonNoBudget:    "the gateway's request budget has no room for the call before its deadline; nothing was sent",
	upstream.ReasonBreakerOpen: "the upstream has been failing and is given a pause; nothing was sent",
}

// toCaller maps any error of the road to what its caller may see.
func toCaller(err error) error {
	var (
		already    *told
		up         *upstream.Error
		request    *upstream.RequestError
		validation *protovalidate.ValidationError
		endless    *pages.EndlessError
		strange    *StrangeBucketsError
		door       *connect.Error
	)
	switch {
	case errors.As(err, &already):
		return already
	case errors.As(err, &up):
		return fromUpstream(up)
	case errors.As(err, &request):
		return fault{
			code: connect.CodeInvalidArgument, reason: ReasonInvalidRequest, cause: err,
			message:    "invalid request: " + request.Field + ": " + request.Reason,
			violations: []*errdetails.BadRequest_FieldViolation{{Field: request.Field, Description: request.Reason}},
		}.err()
	case errors.As(err, &validation):
		return fromValidation(validation)
	case errors.As(err, &endless):
		return fault{
			code: connect.CodeUnavailable, reason: ReasonEndlessList, cause: err,
			message: "the upstream's list does not end: " + string(endless.Reason) + ", page " + strconv.Itoa(endless.Pages),
		}.err()
	case errors.As(err, &strange):
		return fault{code: connect.CodeUnavailable, reason: upstream.ReasonBadResponse, message: strange.Error(), cause: err}.err()
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded): // The latter is a body that did not come in time.
		return fault{code: connect.CodeDeadlineExceeded, reason: ReasonDeadlineExceeded, message: "the deadline passed", cause: err}.err()
	case errors.Is(err, context.Canceled):
		return fault{code: connect.CodeCanceled, reason: ReasonCanceled, message: "the call was canceled", cause: err}.err()
	case errors.As(err, &door):
		return fromDoor(door)
	default:
		return fault{code: connect.CodeInternal, reason: ReasonInternal, message: "internal error", cause: err}.err()
	}
}

func fromUpstream(e *upstream.Error) error {
	row, ok := outcomes[e.Kind]
	if !ok {
		row = errorRow{connect.CodeInternal, "internal error"}
	}
	// The upstream's words explain what the request did wrong. What befell the
	// call itself is explained here.
	message := row.message
	if words, ok := unsent[e.Reason]; ok {
		message = words
	}
	if words := e.Message; words != "" && (e.Kind == upstream.InvalidArgument || e.Kind == upstream.NotFound || e.Kind == upstream.Conflict || e.Kind == upstream.RateLimited) {
		message = words
	}
	metadata := map[string]string{
		"upstream_status":     strconv.Itoa(e.Status),
		"upstream_code":       e.Code,
		"upstream_type":       e.Type,
		"upstream_request_id": e.RequestID,
	}
	maps.DeleteFunc(metadata, func(_, value string) bool { return value == "" || value == "0" })
	f := fault{code: row.code, reason: e.Reason, message: message, metadata: metadata, retryAfter: e.RetryAfter, cause: e}
	if e.Param != "" {
		f.violations = []*errdetails.BadRequest_FieldViolation{{Field: e.Param, Description: message}}
	}
	return f.err()
}

func fromValidation(e *protovalidate.ValidationError) error {
	violations := make([]*errdetails.BadRequest_FieldViolation, 0, len(e.Violations))
	for _, violation := range e.Violations {
		violations = append(violations, &errdetails.BadRequest_FieldViolation{
			Field:       protovalidate.FieldPathString(violation.Proto.GetField()),
			Description: violation.Proto.GetMessage(),
		})
	}
	message := "invalid request"
	if len(violations) > 0 {
		if field := violations[0].GetField(); field != "" {
			message += ": " + field
		}
		message += ": " + violations[0].GetDescription()
	}
	return fault{code: connect.CodeInvalidArgument, reason: ReasonInvalidRequest, message: message, violations: violations, cause: e}.err()
}

// doorFaults say what went wrong before a request was a message. The libraries'
// own words can quote the request and name Go types, so they stay in the log.
var doorFaults = map[connect.Code]fault{
	connect.CodeInvalidArgument:   {reason: ReasonMalformedRequest, message: "the request cannot be decoded as a message of this method: see its schema for names and types"},
	connect.CodeUnimplemented:     {reason: ReasonUnknownMethod, message: "no such method, or not in this form"},
	connect.CodeResourceExhausted: {reason: ReasonMalformedRequest, message: "the request is larger than this gateway accepts"},
	connect.CodeCanceled:          {reason: ReasonCanceled, message: "the call was canceled"},
	connect.CodeDeadlineExceeded:  {reason: ReasonDeadlineExceeded, message: "the deadline passed"},
}

func fromDoor(e *connect.Error) error {
	f, ok := doorFaults[e.Code()]
	if !ok {
		f = fault{reason: ReasonInternal, message: "internal error"}
		f.code, f.cause = connect.CodeInternal, e
		return f.err()
	}
	f.code, f.cause = e.Code(), e
	return f.err()
}
