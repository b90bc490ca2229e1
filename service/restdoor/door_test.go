package restdoor

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/service/door"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// TestTakes: the upstream's paths, and every path that a mux would redirect.
func TestTakes(t *testing.T) {
	t.Parallel()
	d := New(nil, catalogtest.Gateway(t), 1)
	for target, want := range map[string]bool{
		"/v1":                             true,
		"/v1/":                            true,
		"/v1/organization/projects":       true,
		"/v1/nothing":                     true,
		"/v2/organization/projects":       false,
		"/v10":                            false,
		"/":                               false,
		"//v1/organization":               true,
		"/a/../v1":                        true,
		"/a//b":                           true,
		"/admingateway.admin.v1.X/Y":      false,
		"/admingateway.admin.v1.X/Y/":     true,
		"/admingateway.admin.v1.X/%2e%2e": false,
	} {
		if got := d.Takes(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://gateway"+target, nil)); got != want {
			t.Errorf("%s: %t, want %t", target, got, want)
		}
	}
}

// TestEveryCodeHasAStatus: no error of the gateway is a status by default, and only
// one that was certainly not made invites to repeat a write.
func TestEveryCodeHasAStatus(t *testing.T) {
	t.Parallel()
	for code, row := range rows {
		if row.status < 400 || row.kind == "" {
			t.Errorf("%s: %+v", code, row)
		}
		if row.again && code != connect.CodeResourceExhausted && code != connect.CodeUnavailable {
			t.Errorf("%s: a write may be repeated", code)
		}
	}
	for status, code := range map[int]connect.Code{http.StatusFailedDependency: connect.CodeUnknown, 499: connect.CodeCanceled} {
		if rows[code].status != status {
			t.Errorf("%s: status %d, want %d", code, rows[code].status, status)
		}
	}
}

// TestUnroutedPathsAreCalls: a path that is not of the API is a call of a method that
// does not exist, so that it is authenticated and recorded; its path names nothing.
func TestUnroutedPathsAreCalls(t *testing.T) {
	t.Parallel()
	var procedures []string
	server := connect.NewServer(func(connect.ServerFunc) connect.ServerFunc {
		return func(_ context.Context, spec connect.Spec, _ connect.ServerStream) error {
			procedures = append(procedures, spec.Procedure)
			return &rpcerror.Error{Code: connect.CodeUnimplemented, Reason: rpcerror.ReasonUnknownMethod, Message: "no such method"}
		}
	})
	server.SetUnknownHandler(func(context.Context, connect.Spec, connect.ServerStream) error { return nil })
	d := New(server, catalogtest.Gateway(t), 1<<10)
	for _, target := range []string{"/v1/nothing", "/v1", "//v1/organization/projects"} {
		reply := httptest.NewRecorder()
		request := httptest.NewRequestWithContext(door.WithConnection(t.Context(), door.InProcess{}), http.MethodGet, "http://gateway"+target, strings.NewReader(""))
		d.Serve(request.Context(), reply, request)
		var body struct{ Error errorBody }
		if err := json.Unmarshal(reply.Body.Bytes(), &body); err != nil || reply.Code != http.StatusNotFound || body.Error.Code != "unknown_method" || body.Error.Type != "invalid_request_error" {
			t.Errorf("%s: %d %s, %v", target, reply.Code, reply.Body, err)
		}
	}
	for _, procedure := range procedures {
		if procedure != unrouted {
			t.Errorf("called %s", procedure)
		}
	}
	if len(procedures) != 3 {
		t.Errorf("%d calls", len(procedures))
	}
}
