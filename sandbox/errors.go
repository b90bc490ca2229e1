package sandbox

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/admin-gateway/admin-gateway/sandbox/data"
)

// apiError is a refusal in the upstream's format: a status and the body
// {"error":{"message","type","param","code"}}. An empty param or code is null
// in the body.
type apiError struct {
	status  int
	kind    string
	message string
	param   string
	code    string
	header  http.Header
}

func (e *apiError) Error() string {
	return fmt.Sprintf("%d %s: %s", e.status, e.kind, e.message)
}

// body returns the value that is sent as JSON.
func (e *apiError) body() any {
	type detail struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    *string `json:"code"`
	}
	return struct {
		Error detail `json:"error"`
	}{detail{e.message, e.kind, nonEmpty(e.param), nonEmpty(e.code)}}
}

func nonEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// asAPIError is the refusal that an error of an operation is, or a 500: a bug in here.
func asAPIError(err error) *apiError {
	if refused, ok := errors.AsType[*apiError](err); ok {
		return refused
	}
	return &apiError{status: http.StatusInternalServerError, kind: "server_error", message: err.Error()}
}

const invalidRequest = "invalid_request_error"

// badRequest refuses one parameter. Param is empty if the whole request is wrong.
func badRequest(param, code, format string, args ...any) *apiError {
	return &apiError{
		status: http.StatusBadRequest, kind: invalidRequest,
		param: param, code: code, message: fmt.Sprintf(format, args...),
	}
}

func notFound(what, id string) *apiError {
	return &apiError{
		status: http.StatusNotFound, kind: invalidRequest, code: "not_found",
		message: fmt.Sprintf("No %s found with id '%s'.", what, id),
	}
}

// find returns the item of the collection, or the upstream's 404 for an id that
// the collection does not have.
func find[T any](in *data.Collection[T], what, id string) (T, error) {
	if !in.Has(id) {
		return in.Get(id), notFound(what, id)
	}
	return in.Get(id), nil
}

func conflict(code, format string, args ...any) *apiError {
	return &apiError{
		status: http.StatusConflict, kind: invalidRequest, code: code,
		message: fmt.Sprintf(format, args...),
	}
}

func unauthorized(message string) *apiError {
	return &apiError{
		status: http.StatusUnauthorized, kind: invalidRequest,
		code: "invalid_api_key", message: message,
	}
}
