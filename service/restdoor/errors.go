package restdoor

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// errorRow is the form of a code for clients of the upstream.
type errorRow struct {
	status int
	kind   string
	// again says that a write with this error was not made, and may be repeated.
	again bool
}

// rows is the table. 424 is for a write that may have been made: clients
// repeat 408, 409, 429 and everything from 500 on by themselves, and a create
// that is sent twice creates two things. A client that gave up sees no status
// at all.
var rows = map[connect.Code]errorRow{
	connect.CodeInvalidArgument:    {http.StatusBadRequest, "invalid_request_error", false},
	connect.CodeUnauthenticated:    {http.StatusUnauthorized, "authentication_error", false},
	connect.CodePermissionDenied:   {http.StatusForbidden, "permission_error", false},
	connect.CodeNotFound:           {http.StatusNotFound, "invalid_request_error", false},
	connect.CodeUnimplemented:      {http.StatusNotFound, "invalid_request_error", false},
	connect.CodeAborted:            {http.StatusConflict, "invalid_request_error", false},
	connect.CodeFailedPrecondition: {http.StatusBadRequest, "invalid_request_error", false},
	connect.CodeResourceExhausted:  {http.StatusTooManyRequests, "rate_limit_error", true},
	connect.CodeUnknown:            {http.StatusFailedDependency, "server_error", false},
	connect.CodeCanceled:           {499, "server_error", false},
	connect.CodeInternal:           {http.StatusInternalServerError, "server_error", false},
	connect.CodeUnavailable:        {http.StatusServiceUnavailable, "server_error", true},
	connect.CodeDeadlineExceeded:   {http.StatusGatewayTimeout, "server_error", false},
}

// errorBody is the upstream's error body.
type errorBody struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    string  `json:"code"`
	// ID is the id of the written resource, where the write was made.
	ID string `json:"id,omitempty"`
}

// refuse writes an error. Its message is that of the other doors; type, code and
// param are the upstream's where it gave them.
func (d *Door) refuse(w http.ResponseWriter, r *http.Request, stream *stream, err error) {
	f := rpcerror.ToCaller(err)
	row, ok := rows[f.Code]
	if !ok {
		row = rows[connect.CodeInternal]
	}
	if stream.status != 0 {
		row = errorRow{status: stream.status, kind: "invalid_request_error"}
	}
	if f.Code == connect.CodeUnimplemented && len(stream.match.Allowed) > 0 {
		row.status = http.StatusMethodNotAllowed
		w.Header().Set("Allow", strings.Join(stream.match.Allowed, ", "))
	}
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(f.RetryAfter.Seconds()))))
	}
	// An answer that cannot be understood would come again.
	if f.Reason == upstream.ReasonBadResponse || !row.again && r.Method != http.MethodGet {
		w.Header().Set("X-Should-Retry", "false")
	}
	body, err := json.Marshal(map[string]errorBody{"error": bodyOf(f, row.kind)})
	if err != nil {
		body = []byte(`{"error":{"message":"internal error","type":"server_error","param":null,"code":"internal"}}`)
	}
	d.write(w, r, row.status, body)
}

func bodyOf(f *rpcerror.Error, kind string) errorBody {
	e := errorBody{Message: f.Message, Type: kind, Code: strings.ToLower(f.Reason), ID: f.Done.GetId()}
	if theirs := f.Metadata["upstream_type"]; theirs != "" {
		e.Type = theirs
	}
	if theirs := f.Metadata["upstream_code"]; theirs != "" {
		e.Code = theirs
	}
	if len(f.Violations) > 0 && f.Violations[0].GetField() != "" {
		e.Param = &f.Violations[0].Field
	}
	return e
}
