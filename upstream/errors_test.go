package upstream_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/admin-gateway/admin-gateway/upstream"
)

// TestStatuses is the table of docs/errors.md: the status, the origin of the body, and
// whether the call could change something decide the kind.
func TestStatuses(t *testing.T) {
	t.Parallel()
	const (
		invalid, missing, conflict = upstream.InvalidArgument, upstream.NotFound, upstream.Conflict
		limited, down, unknown     = upstream.RateLimited, upstream.Unavailable, upstream.OutcomeUnknown
		rejected                   = upstream.CredentialRejected
	)
	for _, test := range []struct {
		status int
		reason string
		// The kind for a read, for a write that the API itself answered, and for a
		// write that something else answered.
		read, write, other upstream.Kind
		quotes             bool
	}{
		{101, upstream.ReasonBadResponse, down, unknown, unknown, false},
		{199, upstream.ReasonBadResponse, down, unknown, unknown, false},
		{300, upstream.ReasonRedirected, down, down, down, false},
		{304, upstream.ReasonRedirected, down, down, down, false},
		{399, upstream.ReasonRedirected, down, down, down, false},
		{400, upstream.ReasonInvalidArgument, invalid, invalid, invalid, true},
		{401, upstream.ReasonCredentialRejected, rejected, rejected, rejected, false},
		{402, upstream.ReasonInvalidArgument, invalid, invalid, invalid, true},
		{403, upstream.ReasonCredentialRejected, rejected, rejected, rejected, false},
		{404, upstream.ReasonNotFound, missing, missing, missing, true},
		{405, upstream.ReasonInvalidArgument, invalid, invalid, invalid, true},
		{408, upstream.ReasonUnavailable, down, down, unknown, true},
		{409, upstream.ReasonConflict, conflict, conflict, conflict, true},
		{410, upstream.ReasonNotFound, missing, missing, missing, true},
		{422, upstream.ReasonInvalidArgument, invalid, invalid, invalid, true},
		{429, upstream.ReasonRateLimited, limited, limited, limited, true},
		{499, upstream.ReasonInvalidArgument, invalid, invalid, invalid, true},
		{500, upstream.ReasonUnavailable, down, down, unknown, true},
		{501, upstream.ReasonUnavailable, down, down, unknown, true},
		{502, upstream.ReasonUnavailable, down, unknown, unknown, true},
		{503, upstream.ReasonUnavailable, down, down, unknown, true},
		{504, upstream.ReasonUnavailable, down, unknown, unknown, true},
		{529, upstream.ReasonUnavailable, down, down, unknown, true},
		{599, upstream.ReasonUnavailable, down, down, unknown, true},
		{600, upstream.ReasonBadResponse, down, unknown, unknown, false},
		{999, upstream.ReasonBadResponse, down, unknown, unknown, false},
		{0, upstream.ReasonBadResponse, down, unknown, unknown, false},
	} {
		for _, body := range []struct {
			text  string
			byAPI bool
		}{
			{`{"error":{"message":"m","type":"t","param":"p","code":"c"}}`, true},
			{`{"error":{"message":"m","type":"t","param":"p","code":"c"}`, false}, // cut off
			{`<html>` + canary, false},
			{``, false},
		} {
			for _, c := range []call{getProject(t), createProject(t), archiveProject(t), deleteUser(t)} {
				want := upstream.Error{Kind: test.read, Reason: test.reason, Status: test.status, RequestID: "req_1"}
				switch {
				case c.request.Verb == http.MethodGet:
				case body.byAPI:
					want.Kind = test.write
				default:
					want.Kind = test.other
				}
				if want.Kind == unknown {
					want.Reason = upstream.ReasonOutcomeUnknown
				}
				if test.quotes {
					want.RetryAfter = 7 * time.Second
				}
				if test.quotes && body.byAPI {
					want.Message, want.Type, want.Param, want.Code = "m", "t", "p", "c"
				}
				header := http.Header{"X-Request-Id": {"req_1"}, "Retry-After": {"7"}}
				_, err := c.do(t.Context(), answer{test.status, header, body.text}.client(t))
				got := failure(t, err)
				if diff := cmp.Diff(&want, got, cmpopts.IgnoreUnexported(want)); diff != "" {
					t.Errorf("%s, status %d, body %s (-want +got):\n%s", c.endpoint, test.status, body.text, diff)
				}
				checkWords(t, got)
			}
		}
	}
}

// TestErrorBodies: the upstream's words are kept, in whatever form they come.
func TestErrorBodies(t *testing.T) {
	t.Parallel()
	nested := func(message string) string { return `{"error":{"message":` + asJSON(t, message) + `}}` }
	var zipped bytes.Buffer
	zip := gzip.NewWriter(&zipped)
	_, _ = io.WriteString(zip, nested("zipped"))
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	said := func(message string) upstream.Error { return upstream.Error{Message: message} }
	for _, test := range []struct {
		name, body string
		encoding   string
		want       upstream.Error
		other      bool // not a body of the API's
	}{
		{name: "nested", body: `{"error":{"message":"m","type":"t","param":"p","code":"c","more":1}}`, want: upstream.Error{Message: "m", Type: "t", Param: "p", Code: "c"}},
		{name: "nulls", body: `{"error":{"message":"m","type":"t","param":null,"code":null}}`, want: upstream.Error{Message: "m", Type: "t"}},
		{name: "a code alone", body: `{"error":{"code":"c"}}`, want: upstream.Error{Code: "c"}},
		{name: "flat", body: `{"code":"c","message":"m"}`, want: upstream.Error{Message: "m", Code: "c"}},
		{name: "a string", body: `{"error":"m"}`, want: said("m"), other: true},
		{name: "a flat message", body: `{"message":"m"}`, want: said("m"), other: true},
		{name: "a string besides a message", body: `{"error":"e","message":"m"}`, want: said("m"), other: true},
		{name: "a null besides a message", body: `{"error":null,"message":"m"}`, want: said("m"), other: true},
		{name: "numbers", body: `{"error":{"message":"m","code":429,"param":1.50}}`, want: upstream.Error{Message: "m", Code: "429", Param: "1.50"}},
		{name: "other types", body: `{"error":{"message":["m"],"type":{"a":1},"param":true,"code":"c"}}`, want: upstream.Error{Code: "c"}},
		{name: "nothing but other types", body: `{"error":{"message":["m"]}}`, other: true},
		{name: "an empty object", body: `{"error":{}}`, other: true},
		{name: "a list", body: `[{"message":"m"}]`, other: true},
		{name: "null", body: `null`, other: true},
		{name: "a bare string", body: `"m"`, other: true},
		{name: "more after it", body: nested("m") + "x", other: true},
		{name: "html", body: `<html><title>502 Bad Gateway</title></html>`, other: true},
		{name: "empty", other: true},
		{name: "as large as is read", body: nested(strings.Repeat("x", 64<<10-len(nested("")))), want: said(strings.Repeat("x", 1<<10))},
		{name: "larger", body: nested(strings.Repeat("x", 64<<10-len(nested(""))+1)), other: true},
		{name: "zipped", encoding: "gzip", body: zipped.String(), want: said("zipped")},
		{name: "zipped, cut off", encoding: "gzip", body: zipped.String()[:zipped.Len()-4], other: true},
		{name: "an encoding that was not asked for", encoding: "br", body: nested("m"), other: true},
		{name: "lines", body: nested("a\r\nb\tc\x00d\x1be\u0085f"), want: said("a  b c d e f")},
		{name: "invisible characters", body: nested("a\u202eb\u200bc\u2028d\ufeffe"), want: said("a b c d e")},
		{name: "blank", body: nested(" \n m \n "), want: said("m")},
		{name: "half a surrogate pair", body: `{"error":{"message":"a\ud800b"}}`, want: said("a\ufffdb")},
		{name: "not UTF-8", body: "{\"error\":{\"message\":\"a\xffb\"}}", want: said("a\ufffdb")},
		{name: "cut between characters", body: nested("a" + strings.Repeat("é", 600)), want: said("a" + strings.Repeat("é", 511))},
		{name: "our key", body: nested("Incorrect API key provided: " + canary + "."), want: said("Incorrect API key provided: [redacted].")},
		{name: "our key in every word", body: `{"error":{"message":"` + canary + `","type":"` + canary + `","param":"` + canary + `","code":"` + canary + `"}}`, want: upstream.Error{Message: "[redacted]", Type: "[redacted]", Param: "[redacted]", Code: "[redacted]"}},
		{name: "our key, escaped", body: `{"error":{"message":"` + strings.ReplaceAll(canary, "-", `\u002d`) + `"}}`, want: said("[redacted]")},
		{name: "our key, masked by the upstream", body: nested("key sk-admin-CANA***nary is wrong"), want: said("key sk-*** is wrong")},
		{name: "our key, cut by the upstream", body: nested("key " + canary[:20] + "… is wrong"), want: said("key sk-***… is wrong")},
		{name: "another's key", body: nested("sk-proj-abc_123-XYZ, sk-x"), want: said("sk-***, sk-***")},
		{name: "a key after a word", body: nested("key_sk-0123456789abcdef"), want: said("key_sk-***")},
		{name: "words that are no keys", body: nested("the task-list and desk-job"), want: said("the task-list and desk-job")},
		{name: "a key across the bound", body: nested(strings.Repeat("a ", 508) + "sk-proj-0123456789"), want: said(strings.Repeat("a ", 508) + "sk-***")},
		{name: "a key across what is looked at", body: nested(strings.Repeat(" ", 4090) + "sk-proj-0123456789"), want: said("sk-***")},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			fake := answer{status: http.StatusInternalServerError, body: test.body}
			if test.encoding != "" {
				fake.header = http.Header{"Content-Encoding": {test.encoding}}
			}
			for _, c := range []call{getProject(t), createProject(t)} {
				want := test.want
				want.Kind, want.Reason, want.Status = upstream.Unavailable, upstream.ReasonUnavailable, http.StatusInternalServerError
				if test.other && c.request.Verb == http.MethodPost {
					want.Kind, want.Reason = upstream.OutcomeUnknown, upstream.ReasonOutcomeUnknown
				}
				_, err := c.do(t.Context(), fake.client(t))
				got := failure(t, err)
				if diff := cmp.Diff(&want, got, cmpopts.IgnoreUnexported(want)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", c.endpoint, diff)
				}
				checkWords(t, got)
			}
		})
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ id, want string }{
		{"req_1", "req_1"},
		{"", ""},
		{strings.Repeat("x", 128), strings.Repeat("x", 128)},
		{strings.Repeat("x", 129), ""},
		{"req 1", ""},
		{"req\t1", ""},
		{"req\x001", ""},
		{"réq", ""},
		{"Bearer " + canary, ""},
		{canary, "[redacted]"},
		{"req_sk-proj-0123456789abcdef", "req_sk-***"},
		{`"<script>`, `"<script>`},
	} {
		header := http.Header{"X-Request-Id": {test.id}}
		_, err := getProject(t).do(t.Context(), answer{http.StatusNotFound, header, ``}.client(t))
		if got := failure(t, err).RequestID; got != test.want {
			t.Errorf("%q of an error: got %q, want %q", test.id, got, test.want)
		}
		_, err = getProject(t).do(t.Context(), answer{http.StatusOK, header, `[]`}.client(t))
		if got := failure(t, err).RequestID; got != test.want {
			t.Errorf("%q of a bad answer: got %q, want %q", test.id, got, test.want)
		}
		reply, err := getProject(t).do(t.Context(), answer{http.StatusOK, header, `{}`}.client(t))
		if err != nil {
			t.Fatal(err)
		}
		if reply.RequestID != test.want {
			t.Errorf("%q of an answer: got %q, want %q", test.id, reply.RequestID, test.want)
		}
	}
}

// TestErrorText: the log gets all details, in a fixed order.
func TestErrorText(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		fake answer
		call call
		want string
	}{
		{
			answer{http.StatusTooManyRequests, http.Header{"X-Request-Id": {"req_1"}, "Retry-After": {"7"}}, `{"error":{"message":"m","type":"t","param":"p","code":"c"}}`}, getProject(t),
			"upstream: RATE_LIMITED (UPSTREAM_RATE_LIMITED), status 429, type t, code c, param p, request req_1, retry after 7s: m",
		},
		{
			answer{http.StatusUnauthorized, nil, `{"error":{"message":"m"}}`}, getProject(t),
			"upstream: CREDENTIAL_REJECTED (UPSTREAM_CREDENTIAL_REJECTED), status 401",
		},
		{
			answer{http.StatusBadGateway, nil, ``}, createProject(t),
			"upstream: OUTCOME_UNKNOWN, status 502",
		},
		{
			answer{http.StatusOK, http.Header{"Content-Encoding": {"br"}}, `{}`}, deleteUser(t),
			"upstream: OUTCOME_UNKNOWN, status 200: the answer cannot be read: the answer has a content encoding that was not asked for",
		},
	} {
		_, err := test.call.do(t.Context(), test.fake.client(t))
		if got := failure(t, err).Error(); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}

func TestKindNames(t *testing.T) {
	t.Parallel()
	for kind, want := range map[upstream.Kind]string{
		upstream.InvalidArgument: "INVALID_ARGUMENT", upstream.NotFound: "NOT_FOUND", upstream.Conflict: "CONFLICT",
		upstream.RateLimited: "RATE_LIMITED", upstream.Unavailable: "UNAVAILABLE", upstream.OutcomeUnknown: "OUTCOME_UNKNOWN",
		upstream.CredentialRejected: "CREDENTIAL_REJECTED", upstream.DeadlineExceeded: "DEADLINE_EXCEEDED", upstream.Canceled: "CANCELED",
		0: "Kind(0)", -1: "Kind(-1)",
	} {
		if got := kind.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
