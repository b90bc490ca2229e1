package rpcerror

import (
	"context"
	"errors"
	"maps"
	"os"
	"strconv"

	"buf.build/go/protovalidate"
	"connectrpc.com/connect/v2"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"github.com/admin-gateway/admin-gateway/pages"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// outcome is a row of the table: the code for an outcome of the upstream, and
// the message when the upstream gave none that may be passed on.
type outcome struct {
	code    connect.Code
	message string
}

// outcomes is the table.
var outcomes = map[upstream.Kind]outcome{
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

// unsent are the messages for calls that the gateway did not send. Their
// reasons tell them from the upstream's own refusals, which have the same
// kind.
var unsent = map[string]string{
	upstream.ReasonNoBudget:    "the gateway's request budget has no room for the call before its deadline; nothing was sent",
	upstream.ReasonEndPassed:   "the end that was asked for came before the request could be sent; nothing was sent",
	upstream.ReasonBreakerOpen: "the upstream has been failing, so that calls to it pause; nothing was sent",
}

// ToCaller maps any error of the pipeline to an error that its caller may see.
// An error that is, or wraps, an [*Error] is that one.
func ToCaller(err error) *Error {
	var (
		already    *Error
		up         *upstream.Error
		request    *upstream.RequestError
		validation *protovalidate.ValidationError
		endless    *pages.EndlessError
		door       *connect.Error
	)
	switch {
	case errors.As(err, &already):
		return already
	case errors.As(err, &up):
		return fromUpstream(up)
	case errors.As(err, &request):
		return InvalidField(request.Field, request.Reason, err)
	case errors.As(err, &validation):
		return fromValidation(validation)
	case errors.As(err, &endless):
		return &Error{
			Code: connect.CodeUnavailable, Reason: ReasonEndlessList, Cause: err,
			Message: "the upstream's list does not end: " + string(endless.Reason) + ", page " + strconv.Itoa(endless.Pages),
		}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded): // The latter is a body that did not come in time.
		return &Error{Code: connect.CodeDeadlineExceeded, Reason: ReasonDeadlineExceeded, Message: "the deadline passed", Cause: err}
	case errors.Is(err, context.Canceled):
		return &Error{Code: connect.CodeCanceled, Reason: ReasonCanceled, Message: "the call was canceled", Cause: err}
	case errors.As(err, &door):
		return fromDoor(door)
	default:
		return &Error{Code: connect.CodeInternal, Reason: ReasonInternal, Message: "internal error", Cause: err}
	}
}

func fromUpstream(e *upstream.Error) *Error {
	row, ok := outcomes[e.Kind]
	if !ok {
		row = outcome{connect.CodeInternal, "internal error"}
	}
	// The upstream's message explains a fault of the request. Failures of the
	// call itself are explained here.
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
	f := &Error{Code: row.code, Reason: e.Reason, Message: message, Metadata: metadata, RetryAfter: e.RetryAfter, Cause: e}
	if e.Param != "" {
		f.Violations = []*errdetails.BadRequest_FieldViolation{{Field: e.Param, Description: message}}
	}
	return f
}

func fromValidation(e *protovalidate.ValidationError) *Error {
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
	return &Error{Code: connect.CodeInvalidArgument, Reason: ReasonInvalidRequest, Message: message, Violations: violations, Cause: e}
}

// doorErrors are the errors before a request is decoded. The libraries'
// messages can quote the request and name Go types, so they stay in the log.
var doorErrors = map[connect.Code]struct{ reason, message string }{
	connect.CodeInvalidArgument:   {ReasonMalformedRequest, "the request cannot be decoded as a message of this method: see its schema for names and types"},
	connect.CodeUnimplemented:     {ReasonUnknownMethod, "no such method, or not in this form"},
	connect.CodeResourceExhausted: {ReasonMalformedRequest, "the request is larger than this gateway accepts"},
	connect.CodeCanceled:          {ReasonCanceled, "the call was canceled"},
	connect.CodeDeadlineExceeded:  {ReasonDeadlineExceeded, "the deadline passed"},
}

func fromDoor(e *connect.Error) *Error {
	row, ok := doorErrors[e.Code()]
	if !ok {
		return &Error{Code: connect.CodeInternal, Reason: ReasonInternal, Message: "internal error", Cause: e}
	}
	return &Error{Code: e.Code(), Reason: row.reason, Message: row.message, Cause: e}
}
