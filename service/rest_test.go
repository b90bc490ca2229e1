package service_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// restGateway is a gateway and a client of its REST door.
type restGateway struct {
	*gatewaytest.Gateway
	client *http.Client
}

func newRESTGateway(t *testing.T, options ...gatewaytest.Option) restGateway {
	t.Helper()
	h := restGateway{Gateway: gatewaytest.New(t, options...), client: &http.Client{
		Transport:     &http.Transport{DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	t.Cleanup(h.client.CloseIdleConnections)
	return h
}

// restReply is an answer that has been read.
type restReply struct {
	status int
	header http.Header
	body   []byte
}

// send makes a call as root. A header "Name: value" replaces what is sent
// otherwise; one without a value is not sent.
func (h restGateway) send(t *testing.T, verb, target string, body io.Reader, headers ...string) restReply {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, verb, h.HTTP().URL, body)
	if err != nil {
		t.Fatal(err)
	}
	request.URL.RawPath, request.URL.RawQuery, _ = strings.Cut(target, "?") // As they are.
	if request.URL.Path, err = url.PathUnescape(request.URL.RawPath); err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+admissiontest.TokenOf("root"))
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		if request.Header.Del(name); value != "" {
			request.Header.Set(name, value)
		}
	}
	response, err := h.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return restReply{response.StatusCode, response.Header, raw}
}

// errorBody is an error with the four members that the upstream's have.
func (r restReply) errorBody(t *testing.T) (message, kind, param, code string) {
	t.Helper()
	var outer map[string]map[string]any
	if err := json.Unmarshal(r.body, &outer); err != nil || len(outer) != 1 || r.header.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %s %s: %v", r.status, r.header.Get("Content-Type"), r.body, err)
	}
	e := outer["error"]
	text := func(name string) string {
		value, ok := e[name]
		s, isText := value.(string)
		if !ok || !isText && value != nil {
			t.Errorf("%s has no %s", r.body, name)
		}
		return s
	}
	if r.header.Get("X-Request-Id") == "" {
		t.Errorf("%s has no id", r.body)
	}
	return text("message"), text("type"), text("param"), text("code")
}

// TestRESTErrors: every kind of failure, in the upstream's form, with a status
// that makes the vendor's SDKs repeat what may be repeated and nothing else.
func TestRESTErrors(t *testing.T) {
	t.Parallel()
	const noRetry = "false"
	for name, test := range map[string]struct {
		err              error
		status           int
		kind, code       string
		param, wait      string
		readAgain, again string // X-Should-Retry of a read and of a write
	}{
		"invalid":         {err: &upstream.Error{Kind: upstream.InvalidArgument, Reason: upstream.ReasonInvalidArgument, Status: 422, Message: "no", Param: "name"}, status: 400, kind: "invalid_request_error", code: "upstream_invalid_argument", param: "name", again: noRetry},
		"in its words":    {err: &upstream.Error{Kind: upstream.InvalidArgument, Reason: upstream.ReasonInvalidArgument, Status: 400, Message: "no", Type: "its_type", Code: "its_code"}, status: 400, kind: "its_type", code: "its_code", again: noRetry},
		"not found":       {err: &upstream.Error{Kind: upstream.NotFound, Reason: upstream.ReasonNotFound, Status: 404}, status: 404, kind: "invalid_request_error", code: "upstream_not_found", again: noRetry},
		"conflict":        {err: &upstream.Error{Kind: upstream.Conflict, Reason: upstream.ReasonConflict, Status: 409}, status: 409, kind: "invalid_request_error", code: "upstream_conflict", again: noRetry},
		"rate":            {err: &upstream.Error{Kind: upstream.RateLimited, Reason: upstream.ReasonRateLimited, Status: 429, RetryAfter: 6937 * time.Millisecond}, status: 429, kind: "rate_limit_error", code: "upstream_rate_limited", wait: "7"},
		"rate, no time":   {err: &upstream.Error{Kind: upstream.RateLimited, Reason: upstream.ReasonRateLimited, Status: 429}, status: 429, kind: "rate_limit_error", code: "upstream_rate_limited"},
		"unavailable":     {err: &upstream.Error{Kind: upstream.Unavailable, Reason: upstream.ReasonUnavailable, Status: 500}, status: 503, kind: "server_error", code: "upstream_unavailable"},
		"lost":            {err: &upstream.Error{Kind: upstream.OutcomeUnknown, Reason: upstream.ReasonOutcomeUnknown}, status: 424, kind: "server_error", code: "outcome_unknown", again: noRetry},
		"our key":         {err: &upstream.Error{Kind: upstream.CredentialRejected, Reason: upstream.ReasonCredentialRejected, Status: 401}, status: 500, kind: "server_error", code: "upstream_credential_rejected", again: noRetry},
		"deadline":        {err: &upstream.Error{Kind: upstream.DeadlineExceeded, Reason: upstream.ReasonDeadlineExceeded}, status: 504, kind: "server_error", code: "deadline_exceeded", again: noRetry},
		"canceled":        {err: &upstream.Error{Kind: upstream.Canceled, Reason: upstream.ReasonCanceled}, status: 499, kind: "server_error", code: "canceled", again: noRetry},
		"a fault of ours": {err: io.ErrShortWrite, status: 500, kind: "server_error", code: "internal", again: noRetry},
		"a kind to be":    {err: &upstream.Error{Kind: 99, Reason: "NEW"}, status: 500, kind: "server_error", code: "new", again: noRetry},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newRESTGateway(t, gatewaytest.WithUpstream(gatewaytest.UpstreamFunc(func(context.Context) (*upstream.Reply, error) { return nil, test.err })))
			for what, r := range map[string]restReply{
				test.readAgain: h.send(t, http.MethodGet, "/v1/organization/projects/proj_1", nil),
				test.again:     h.send(t, http.MethodPost, "/v1/organization/projects", strings.NewReader(`{"name":"x"}`)),
			} {
				message, kind, param, code := r.errorBody(t)
				if r.status != test.status || kind != test.kind || param != test.param || code != test.code || message == "" {
					t.Errorf("got %d %s, want %d %s %s %s", r.status, r.body, test.status, test.kind, test.param, test.code)
				}
				if r.header.Get("Retry-After") != test.wait || r.header.Get("X-Should-Retry") != what {
					t.Errorf("headers are %v, want Retry-After %q and X-Should-Retry %q", r.header, test.wait, what)
				}
			}
			if h.Asked.Load() < 2 {
				t.Error("the upstream was not asked")
			}
		})
	}
}

// TestRESTPaths: what is not spelled as the API spells it, is not found, whoever
// asks, and is neither cleaned nor redirected.
func TestRESTPaths(t *testing.T) {
	t.Parallel()
	h := newRESTGateway(t)
	const project = "/v1/organization/projects/proj_1"
	for _, path := range []string{
		"/v1", "/v1/", "/v1//", "/v2" + project[3:] + "/", "/V1" + project[3:] + "/", "//v1" + project[3:], "/v1/" + project[3:], project + "/", project + "//",
		"/v1/organization//projects/proj_1", "/v1/organization/projects//proj_1", "/v1/./organization/projects/proj_1", "/v1/organization/users/../projects/proj_1",
		"/x/../v1/organization/projects/proj_1", "/v1/organization/projects/..", "/v1/organization/projects/.", "/v1/organization/projects/%2e%2e", "/v1/organization/projects/%2e%2e/users",
		"/v1/organization/projects/a%2fb", "/v1/organization/projects/a%252fb", "/v1/organization%2fprojects/proj_1", "/v1/Organization/projects/proj_1",
		"/v1/%6frganization/projects/proj_1", "/v1/organization/projects/a%5cb", `/v1/organization/projects/a%00`, "/v1/organization/projects/proj_1/nothing", "/v1/chat/completions", "/v1/models",
		"/v1/admingateway.admin.v1.ProjectService/GetProject", "/v1/../admingateway.admin.v1.ProjectService/GetProject",
	} {
		r := h.send(t, http.MethodGet, path, nil)
		if _, kind, _, code := r.errorBody(t); r.status != http.StatusNotFound || code != "unknown_method" || kind != "invalid_request_error" || r.header.Get("Location") != "" {
			t.Errorf("%s: got %d %s", path, r.status, r.body)
		}
		if r := h.send(t, http.MethodGet, path, nil, "Authorization"); r.status != http.StatusUnauthorized {
			t.Errorf("%s without a credential: got %d", path, r.status)
		}
	}
	for _, verb := range []string{http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, "QUERY", "get"} {
		r := h.send(t, verb, project, nil)
		if r.status != http.StatusMethodNotAllowed || r.header.Get("Allow") != "GET, POST" {
			t.Errorf("%s: got %d, Allow %q", verb, r.status, r.header.Get("Allow"))
		}
		if _, _, _, code := r.errorBody(t); code != "unknown_method" {
			t.Errorf("%s: %s", verb, r.body)
		}
	}
	if r := h.send(t, http.MethodHead, project, nil); r.status != http.StatusMethodNotAllowed || len(r.body) > 0 {
		t.Errorf("HEAD: got %d %s", r.status, r.body)
	}
	if n := h.Asked.Load(); n != 0 {
		t.Errorf("the upstream was asked %d times", n)
	}
	if r := h.send(t, http.MethodGet, project, nil); r.status != http.StatusOK || h.Asked.Load() != 1 {
		t.Errorf("the right path: got %d %s", r.status, r.body)
	}
}

// endless is a body that does not end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, bytes.Repeat([]byte(" "), len(p))), nil }

func TestRESTRequests(t *testing.T) {
	t.Parallel()
	h := newRESTGateway(t, gatewaytest.WithUpstream(gatewaytest.LeastAnswers(t, "")))
	zipped := func() io.Reader {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = w.Write([]byte(`{"name":"x"}`))
		_ = w.Close()
		return &b
	}
	const projects, project = "/v1/organization/projects", "/v1/organization/projects/proj_1"
	for name, test := range map[string]struct {
		verb, target string
		body         io.Reader
		headers      []string
		status       int
		param, code  string
	}{
		"right":                     {"POST", projects, strings.NewReader(`{"name":"x"}`), nil, 200, "", ""},
		"right, with a charset":     {"POST", projects, strings.NewReader(`{"name":"x"}`), []string{"Content-Type: application/json; charset=UTF-8"}, 200, "", ""},
		"right, of an SDK":          {"POST", projects, strings.NewReader(`{"name":"x"}`), []string{"OpenAI-Organization: org_x", "OpenAI-Project: proj_x", "X-Stainless-Lang: go"}, 200, "", ""},
		"right, no body":            {"POST", project + "/archive", nil, nil, 200, "", ""},
		"right, no body, its type":  {"POST", project + "/archive", nil, []string{"Content-Type: application/json"}, 200, "", ""},
		"right, nothing to change":  {"POST", project, nil, []string{"Content-Type: application/json"}, 200, "", ""},
		"right, identity":           {"POST", projects, strings.NewReader(`{"name":"x"}`), []string{"Content-Encoding: identity"}, 200, "", ""},
		"right, limit of nothing":   {"GET", projects + "?limit=0", nil, nil, 200, "", ""},
		"what must be is not":       {"POST", projects, strings.NewReader(`{}`), nil, 400, "name", "invalid_request"},
		"no body where one must be": {"POST", projects, nil, nil, 400, "name", "invalid_request"},
		"unknown member":            {"POST", projects, strings.NewReader(`{"name":"x","admin":true}`), nil, 400, "admin", "invalid_request"},
		"member twice":              {"POST", projects, strings.NewReader(`{"name":"x","name":"y"}`), nil, 400, "name", "invalid_request"},
		"null":                      {"POST", projects, strings.NewReader(`{"name":null}`), nil, 400, "name", "invalid_request"},
		"the path's in the body":    {"POST", project, strings.NewReader(`{"project_id":"proj_2"}`), nil, 400, "project_id", "invalid_request"},
		"no JSON":                   {"POST", projects, strings.NewReader(`{"name":`), nil, 400, "", "malformed_request"},
		"two bodies":                {"POST", projects, strings.NewReader(`{"name":"x"}{}`), nil, 400, "", "malformed_request"},
		"no object":                 {"POST", projects, strings.NewReader(`["x"]`), nil, 400, "body", "invalid_request"},
		"no type":                   {"POST", projects, strings.NewReader(`{"name":"x"}`), []string{"Content-Type"}, 415, "", "malformed_request"},
		"another type":              {"POST", projects, strings.NewReader(`{"name":"x"}`), []string{"Content-Type: text/plain"}, 415, "", "malformed_request"},
		"another charset":           {"POST", projects, strings.NewReader(`{"name":"x"}`), []string{"Content-Type: application/json; charset=utf-16"}, 415, "", "malformed_request"},
		"compressed":                {"POST", projects, zipped(), []string{"Content-Encoding: gzip"}, 415, "", "malformed_request"},
		"too large":                 {"POST", projects, strings.NewReader(strings.Repeat(" ", 1<<20) + `{"name":"x"}`), nil, 413, "", "malformed_request"},
		"endless":                   {"POST", projects, endless{}, nil, 413, "", "malformed_request"},
		"a GET with a body":         {"GET", project, strings.NewReader(`{}`), nil, 400, "body", "invalid_request"},
		"a DELETE with a body":      {"DELETE", "/v1/organization/users/u", strings.NewReader(`{}`), nil, 400, "body", "invalid_request"},
		"an archive with a body":    {"POST", project + "/archive", strings.NewReader(`{}`), nil, 400, "body", "invalid_request"},
		"unknown parameter":         {"GET", projects + "?expand=all", nil, nil, 400, "expand", "invalid_request"},
		"parameter twice":           {"GET", projects + "?limit=1&limit=1", nil, nil, 400, "limit", "invalid_request"},
		"parameter of a POST":       {"POST", projects + "?name=y", strings.NewReader(`{"name":"x"}`), nil, 400, "name", "invalid_request"},
		"bad escape":                {"GET", projects + "?after=%zz", nil, nil, 400, "after", "invalid_request"},
		"beyond the limit":          {"GET", projects + "?limit=101", nil, nil, 400, "limit", "invalid_request"},
		"deep":                      {"GET", "/v1/organization/audit_logs?" + strings.Repeat("effective_at[gt]", 1000) + "=1", nil, nil, 400, strings.Repeat("effective_at[gt]", 4), "invalid_request"},
		"huge":                      {"GET", projects + "?after=" + strings.Repeat("x", 100_000), nil, nil, 400, "query", "invalid_request"},
	} {
		before := h.Asked.Load()
		r := h.send(t, test.verb, test.target, test.body, test.headers...)
		if asked := h.Asked.Load() > before; r.status != test.status || asked != (test.status == http.StatusOK) {
			t.Errorf("%s: got %d %s, want %d; asked the upstream: %t", name, r.status, r.body, test.status, asked)
			continue
		}
		if test.status != http.StatusOK {
			if _, _, param, code := r.errorBody(t); param != test.param || code != test.code {
				t.Errorf("%s: got %s, want %s that names %q", name, r.body, test.code, test.param)
			}
		}
	}
}

// TestRESTRequiresMembers: a required member has no default.
func TestRESTRequiresMembers(t *testing.T) {
	t.Parallel()
	h := newRESTGateway(t, gatewaytest.WithUpstream(gatewaytest.LeastAnswers(t, "")))
	for _, m := range catalogtest.Gateway(t).Mirrored() {
		if !m.Endpoint.HasBody() {
			continue
		}
		required := requiredFields(m)
		r := h.send(t, m.Endpoint.Verb(), "/v1"+pathVariable.ReplaceAllString(m.Endpoint.Template(), "id_1"), strings.NewReader(`{}`))
		if len(required) == 0 && needsSome(m) {
			if message, _, _, _ := r.errorBody(t); r.status != http.StatusBadRequest || !strings.HasPrefix(message, "invalid request: at least one of ") {
				t.Errorf("%s with nothing: %d %s", m.ShortName(), r.status, r.body)
			}
			continue
		}
		if len(required) == 0 {
			if r.status != http.StatusOK {
				t.Errorf("%s with nothing: %d %s", m.ShortName(), r.status, r.body)
			}
			continue
		}
		if _, _, param, _ := r.errorBody(t); r.status != http.StatusBadRequest || !required[param] {
			t.Errorf("%s with nothing: %d %s, want one of %v", m.ShortName(), r.status, r.body, required)
		}
	}
}

// TestRESTAnswers: headers, and compression for who wants it.
func TestRESTAnswers(t *testing.T) {
	t.Parallel()
	long := []byte(`{ "object":"organization.project",  "id":"proj_1","unknown":[1.0,1e2],"name":"` + strings.Repeat("é", 2000) + "\"}\n")
	h := newRESTGateway(t, gatewaytest.WithUpstream(gatewaytest.UpstreamFunc(func(context.Context) (*upstream.Reply, error) {
		return &upstream.Reply{Status: http.StatusCreated, Body: long, RequestID: "req_theirs"}, nil
	})))
	for accept, zipped := range map[string]bool{
		"gzip": true, "br, GZIP;q=0.5": true, "*": true, "gzip;q=0": false, "*, gzip;q=0": false, "gzip;q=x": false, "identity": false, "": false, "*;q=0": false, "gzip;q=0.000": false,
	} {
		r := h.send(t, http.MethodGet, "/v1/organization/projects/proj_1", nil, "Accept-Encoding: "+accept)
		body := r.body
		if got := r.header.Get("Content-Encoding"); (got == "gzip") != zipped {
			t.Errorf("%q: encoded as %q", accept, got)
			continue
		}
		if zipped {
			unzipped, err := gzip.NewReader(bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if body, err = io.ReadAll(unzipped); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(body, long) || r.status != http.StatusOK {
			t.Errorf("%q: got %d %.100s, not the upstream's", accept, r.status, body)
		}
		if r.header.Get("Content-Type") != "application/json" || r.header.Get("Vary") != "Accept-Encoding" || !strings.HasPrefix(r.header.Get("X-Request-Id"), "req_") || r.header.Get("X-Request-Id") == "req_theirs" {
			t.Errorf("headers are %v", r.header)
		}
	}
}

// TestRESTCache: a stored answer is sent byte for byte.
func TestRESTCache(t *testing.T) {
	t.Parallel()
	said := []byte(`{"object":"organization.project","id":"proj_1","name":"x","what":  "else"}`)
	up := gatewaytest.UpstreamFunc(func(context.Context) (*upstream.Reply, error) {
		return &upstream.Reply{Status: http.StatusOK, Body: said}, nil
	})
	h := newRESTGateway(t, gatewaytest.WithUpstream(up), gatewaytest.WithMemoryCache())
	for i, status := range []string{"fwd=miss", "hit"} {
		r := h.send(t, http.MethodGet, "/v1/organization/projects/proj_1", nil)
		if r.status != http.StatusOK || !bytes.Equal(r.body, said) || h.Asked.Load() != 1 {
			t.Errorf("call %d: %d %s, the upstream was asked %d times", i, r.status, r.body, h.Asked.Load())
		}
		if got := r.header.Get("Cache-Status"); !strings.HasPrefix(got, "admin-gateway; "+status) || r.header.Get("Age") != "0" {
			t.Errorf("call %d: headers are %v", i, r.header)
		}
	}
}

// TestRESTWriteWithoutRecord: the error of a write that was made and not recorded
// names the thing, and says not to repeat the call.
func TestRESTWriteWithoutRecord(t *testing.T) {
	t.Parallel()
	kept := &gatewaytest.Records{Fail: func(r *audit.Record) error {
		if r.Event == audit.EventCall {
			return io.ErrShortWrite
		}
		return nil
	}}
	h := newRESTGateway(t, gatewaytest.WithAudit(kept), gatewaytest.WithRequiredAudit())
	r := h.send(t, http.MethodPost, "/v1/organization/projects", strings.NewReader(`{"name":"x"}`))
	if _, kind, _, code := r.errorBody(t); r.status != http.StatusFailedDependency || kind != "server_error" || code != "write_not_recorded" || r.header.Get("X-Should-Retry") != "false" {
		t.Errorf("got %d %s", r.status, r.body)
	}
	var told struct{ Error struct{ ID string } }
	if err := json.Unmarshal(r.body, &told); err != nil || told.Error.ID == "" {
		t.Errorf("%s does not name the thing that was made: %v", r.body, err)
	}
}

// requiredFields are the members that a body has to have.
func requiredFields(m *catalog.Method) map[string]bool {
	names := map[string]bool{}
	inPath := map[protoreflect.Name]bool{}
	for _, variable := range m.Endpoint.Variables() {
		inPath[variable.Name()] = true
	}
	fields := m.Descriptor.Input().Fields()
	for i := range fields.Len() {
		declared, _ := proto.GetExtension(fields.Get(i).Options(), annotations.E_FieldBehavior).([]annotations.FieldBehavior)
		if slices.Contains(declared, annotations.FieldBehavior_REQUIRED) && !inPath[fields.Get(i).Name()] {
			names[string(fields.Get(i).Name())] = true
		}
	}
	for i := range m.Descriptor.Input().Oneofs().Len() {
		union, _ := proto.GetExtension(m.Descriptor.Input().Oneofs().Get(i).Options(), optionsv1.E_Union).(*optionsv1.Union)
		if union != nil {
			names[union.GetDiscriminator()] = true
		}
	}
	return names
}

// needsSome says whether the request has to have one of several members: a rule about
// them all, whose error names them in words.
func needsSome(m *catalog.Method) bool {
	rules, _ := proto.GetExtension(m.Descriptor.Input().Options(), validate.E_Message).(*validate.MessageRules)
	return slices.ContainsFunc(rules.GetCel(), func(rule *validate.Rule) bool { return strings.HasPrefix(rule.GetMessage(), "at least one of ") })
}
