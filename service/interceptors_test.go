package service_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/upstream"
)

func TestEveryCallHasItsOwnID(t *testing.T) {
	t.Parallel()
	h := newGateway(t, gatewaytest.AnswerProject, 0)
	seen := map[string]string{"": "no call", "mine": "its caller"}
	for name, door := range h.PlainDoors() {
		for _, project := range []string{"proj_1", "proj_1", "../users"} {
			answer, id, err := get(t, door, project)
			if refused := project != "proj_1"; refused != (connect.CodeOf(err) == connect.CodeInvalidArgument) || refused != (err != nil) {
				t.Errorf("%s: %s: error %v", name, project, err)
			}
			if err == nil && answer.GetProject().GetName() != "one" {
				t.Errorf("%s: answer %v", name, answer)
			}
			if other, taken := seen[id]; taken {
				t.Errorf("%s: id %q is that of %s", name, id, other)
			}
			seen[id] = name
		}
	}
	lines := h.Logs.Of(t, "call")
	if want := len(seen) - 2; len(lines) != want {
		t.Errorf("%d lines for %d calls", len(lines), want)
	}
	for _, line := range lines {
		id, _ := line["request_id"].(string)
		if seen[id] == "" || line["method"] != getProject[1:] || line["duration"] == nil {
			t.Errorf("line %v", line)
		}
		if line["code"] != "ok" && line["code"] != "invalid_argument" {
			t.Errorf("line %v", line)
		}
		delete(seen, id)
	}
}

// What is recovered is told, and what is told is logged: so a panic is one
// failed call, and its text is nobody's.
func TestPanicIsOneFailedCall(t *testing.T) {
	t.Parallel()
	var broken sync.Map
	h := newGateway(t, func(ctx context.Context) (*upstream.Reply, error) {
		if _, healed := broken.LoadOrStore("once", true); !healed {
			panic(secretWord)
		}
		return gatewaytest.AnswerProject(ctx)
	}, 0)
	for name, door := range h.PlainDoors() {
		broken.Clear()
		_, id, err := get(t, door, "proj_1")
		if connect.CodeOf(err) != connect.CodeInternal || reason(t, err) != rpcerror.ReasonInternal {
			t.Errorf("%s: a panic is shown as %v", name, err)
		}
		if text := everything(err); strings.Contains(text, secretWord) || strings.Contains(text, "panic") {
			t.Errorf("%s: a caller reads %q", name, text)
		}
		if _, _, err := get(t, door, "proj_1"); err != nil {
			t.Errorf("%s: the call after the panic: %v", name, err)
		}
		found := false
		for _, line := range h.Logs.Of(t, "call") {
			found = found || line["request_id"] == id && line["code"] == "internal" && line["level"] == "ERROR"
		}
		for _, line := range h.Logs.Of(t, "panic") {
			if stack, _ := line["stack"].(string); line["request_id"] == id && !strings.Contains(stack, "interceptors_test.go") {
				t.Errorf("%s: the stack does not lead to the panic: %s", name, stack)
			}
		}
		if !found {
			t.Errorf("%s: the log has no error for call %q", name, id)
		}
	}
	if got, want := len(h.Logs.Of(t, "panic")), len(h.PlainDoors()); got != want {
		t.Errorf("%d panics in the log, want %d", got, want)
	}
	if strings.Contains(h.Logs.Text(), secretWord) {
		t.Errorf("the log has the panic's text")
	}
}

func TestUnknownErrorsAreHidden(t *testing.T) {
	t.Parallel()
	h := newGateway(t, func(context.Context) (*upstream.Reply, error) { return nil, errors.New(secretWord) }, 0)
	for name, door := range h.PlainDoors() {
		_, _, err := get(t, door, "proj_1")
		if connect.CodeOf(err) != connect.CodeInternal || strings.Contains(everything(err), secretWord) {
			t.Errorf("%s: a caller reads %q", name, everything(err))
		}
	}
	for _, line := range h.Logs.Of(t, "call") {
		if line["cause"] != secretWord {
			t.Errorf("the log does not keep the cause: %v", line)
		}
	}
}

func TestEveryCallHasADeadline(t *testing.T) {
	t.Parallel()
	const hour = time.Hour
	tests := []struct {
		name             string
		longest, callers time.Duration // 0: none
		atMost           time.Duration
	}{
		{"the default", 0, 0, service.DefaultLongestCall},
		{"the gateway's", hour, 0, hour},
		{"the gateway's before the caller's", hour, 100 * hour, hour},
		{"the caller's before the gateway's", 100 * hour, hour, hour},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var deadline time.Time
			h := newGateway(t, func(ctx context.Context) (*upstream.Reply, error) {
				mu.Lock()
				defer mu.Unlock()
				deadline, _ = ctx.Deadline()
				return gatewaytest.AnswerProject(ctx)
			}, test.longest)
			for name, door := range h.PlainDoors() {
				ctx := t.Context()
				if test.callers > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, test.callers)
					defer cancel()
				}
				_, err := adminv1connect.NewProjectServiceClient(gatewaytest.As("root", door)).
					GetProject(ctx, &adminv1.GetProjectRequest{ProjectId: "proj_1"})
				if err != nil {
					t.Fatal(err)
				}
				mu.Lock()
				if latest := time.Now().Add(test.atMost); deadline.IsZero() || deadline.After(latest) {
					t.Errorf("%s: the deadline is %s, which is not before %s", name, deadline, latest)
				}
				deadline = time.Time{}
				mu.Unlock()
			}
		})
	}
}

func TestLongestCallEndsACall(t *testing.T) {
	t.Parallel()
	h := newGateway(t, func(ctx context.Context) (*upstream.Reply, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}, time.Millisecond)
	for name, door := range h.PlainDoors() {
		if _, _, err := get(t, door, "proj_1"); connect.CodeOf(err) != connect.CodeDeadlineExceeded || reason(t, err) != rpcerror.ReasonDeadlineExceeded {
			t.Errorf("%s: a call without end ends in %v", name, err)
		}
	}
}

// post sends bytes to the Connect door and returns status and body.
func post(t *testing.T, url, contentType, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", contentType)
	request.Header.Set("Authorization", "Bearer "+admissiontest.TokenOf("root"))
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	reply, err := (&http.Client{Transport: transport, Timeout: 30 * time.Second}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := reply.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return reply.StatusCode, string(answer)
}

// No request reaches the upstream that is not a valid message, and neither the
// refusal nor the log repeats a value of it.
func TestBadRequestsAreNotRepeated(t *testing.T) {
	t.Parallel()
	h := newGateway(t, func(context.Context) (*upstream.Reply, error) {
		return nil, errors.New("the upstream was asked")
	}, 0)
	const asJSON, asProto = "application/json", "application/proto"
	for _, test := range []struct {
		name, procedure, contentType, body string
		status                             int
		want                               string // in the refusal
	}{
		{"broken JSON", getProject, asJSON, `{"project_id": ` + secretWord, http.StatusBadRequest, rpcerror.ReasonMalformedRequest},
		{"JSON of another type", getProject, asJSON, `["` + secretWord + `"]`, http.StatusBadRequest, rpcerror.ReasonMalformedRequest},
		{"broken protobuf", getProject, asProto, "\x0a\x7f" + secretWord, http.StatusBadRequest, rpcerror.ReasonMalformedRequest},
		{"protobuf that is not UTF-8", getProject, asProto, "\x0a\x0d" + secretWord + "\xff\xfe", http.StatusBadRequest, rpcerror.ReasonMalformedRequest},
		{"unknown field", getProject, asJSON, `{"nobody": "` + secretWord + `"}`, http.StatusBadRequest, "nobody: is not a field of this request"},
		{"field of another type", "/admingateway.admin.v1.ProjectService/ListProjects", asJSON, `{"limit": "` + secretWord + `"}`, http.StatusBadRequest, "limit"},
		{"broken rule", getProject, asJSON, `{"project_id": "../` + secretWord + `"}`, http.StatusBadRequest, "project_id"},
		{"too large", getProject, asJSON, `{"project_id": "` + strings.Repeat(secretWord, 1<<17) + `"}`, http.StatusTooManyRequests, rpcerror.ReasonMalformedRequest},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			status, body := post(t, h.HTTP().URL+test.procedure, test.contentType, test.body)
			if status != test.status || !refusalHolds(t, body, test.want) {
				t.Errorf("refused with %d %s", status, body)
			}
			if strings.Contains(body, secretWord) {
				t.Errorf("a caller reads %s", body)
			}
		})
	}
	t.Cleanup(func() {
		if text := h.Logs.Text(); strings.Contains(text, secretWord) {
			t.Errorf("the log repeats a request: %s", text)
		} else if strings.Contains(text, "was asked") {
			t.Errorf("the upstream was asked: %s", text)
		}
	})
}

// refusalHolds looks into an error of the Connect protocol, debug included.
func refusalHolds(t *testing.T, body, want string) bool {
	t.Helper()
	var refusal struct {
		Message string
		Details []struct {
			Debug struct{ Reason string }
		}
	}
	if err := json.Unmarshal([]byte(body), &refusal); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	for _, detail := range refusal.Details {
		if detail.Debug.Reason == want {
			return true
		}
	}
	return strings.Contains(refusal.Message, want)
}

func TestUnknownMethods(t *testing.T) {
	t.Parallel()
	h := newGateway(t, gatewaytest.AnswerProject, 0)
	for name, door := range h.PlainDoors() {
		err := gatewaytest.As("root", door).CallUnary(t.Context(), connect.Spec{StreamType: connect.StreamTypeUnary, Procedure: "/admingateway.admin.v1.ProjectService/Nope"},
			&adminv1.GetProjectRequest{}, &adminv1.GetProjectResponse{})
		if connect.CodeOf(err) != connect.CodeUnimplemented || reason(t, err) != rpcerror.ReasonUnknownMethod {
			t.Errorf("%s: an unknown method is shown as %v", name, err)
		}
	}
}

// TestUnknownMethodsOverHTTP1: a stream of Connect learns that there is no such
// method; gRPC needs HTTP/2 to learn anything.
func TestUnknownMethodsOverHTTP1(t *testing.T) {
	t.Parallel()
	h := newGateway(t, gatewaytest.AnswerProject, 0)
	for kind, want := range map[string]int{
		"application/connect+json": http.StatusOK, // The error is the stream's end.
		"application/json":         http.StatusUnauthorized,
		"application/grpc-web":     http.StatusOK,
		"application/grpc":         http.StatusHTTPVersionNotSupported,
		"Application/gRPC+proto":   http.StatusHTTPVersionNotSupported,
		"text/plain":               http.StatusNotFound,
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.HTTP().URL+"/admingateway.admin.v1.ProjectService/Nope", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", kind)
		transport := &http.Transport{}
		reply, err := (&http.Client{Transport: transport}).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if err := reply.Body.Close(); err != nil {
			t.Error(err)
		}
		transport.CloseIdleConnections()
		if reply.StatusCode != want {
			t.Errorf("%s: status %d, want %d", kind, reply.StatusCode, want)
		}
	}
}

func TestServerWantsAnUpstream(t *testing.T) {
	t.Parallel()
	if _, err := service.NewServer(catalogtest.Gateway(t), service.Options{}); err == nil {
		t.Error("a server was built without an upstream")
	}
}
