package vaultdoor

import (
	"math"
	"net/http"
	"strconv"
	"strings"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// statuses are those of Vault for the codes of errors. Its clients repeat 429 and
// everything from 500 on, each time as a new request; an error that would come again
// has a status that they do not repeat.
//
// 404 is for paths that are none: the clients take it for an empty answer.
var statuses = map[connect.Code]int{ //nolint:gochecknoglobals // A table.
	connect.CodeInvalidArgument:    http.StatusBadRequest,
	connect.CodeFailedPrecondition: http.StatusBadRequest,
	connect.CodeNotFound:           http.StatusBadRequest,
	connect.CodeUnauthenticated:    http.StatusForbidden,
	connect.CodePermissionDenied:   http.StatusForbidden,
	connect.CodeUnimplemented:      http.StatusNotFound,
	connect.CodeResourceExhausted:  http.StatusTooManyRequests,
	// What a lease could not be made for; another request makes another one.
	connect.CodeAborted:          http.StatusServiceUnavailable,
	connect.CodeUnavailable:      http.StatusServiceUnavailable,
	connect.CodeDeadlineExceeded: http.StatusServiceUnavailable,
	connect.CodeInternal:         http.StatusInternalServerError,
	connect.CodeUnknown:          http.StatusInternalServerError,
	connect.CodeCanceled:         http.StatusInternalServerError, // Nobody is left to see it.
}

// failure is Vault's body of an error.
type failure struct {
	Errors []string `json:"errors"`
}

// refuse writes an error. Its message is that of the other doors.
func (x *exchange) refuse(err error) {
	f := rpcerror.ToCaller(err)
	status, ok := statuses[f.Code]
	if !ok {
		status = http.StatusInternalServerError
	}
	if x.status != 0 {
		status = x.status
	}
	message := f.Message
	switch {
	case status == http.StatusForbidden:
		message = "permission denied: " + message // Clients look for these words.
	case f.Code == connect.CodeUnimplemented && len(x.allowed) > 0:
		status, message = http.StatusMethodNotAllowed, "unsupported operation"
		x.writer.Header().Set("Allow", strings.Join(x.allowed, ", "))
	case f.Code == connect.CodeUnimplemented && x.route == nil:
		message = "no handler for route " + strconv.Quote(rpcerror.Clip(strings.TrimPrefix(x.request.URL.Path, prefix))) + ". route entry not found."
	case f.Code == connect.CodeAborted && x.request.Header.Get(keyHeader) != "":
		status = http.StatusConflict // The same request has the same outcome.
	}
	if f.RetryAfter > 0 {
		x.writer.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(f.RetryAfter.Seconds()))))
	}
	x.write(&reply{status, &failure{[]string{message}}})
}
