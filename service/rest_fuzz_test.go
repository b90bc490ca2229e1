package service_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// lastAsked is an upstream that keeps what it was asked last.
type lastAsked struct {
	answers  upstream.Attempter
	endpoint *upstream.Endpoint
	request  *upstream.Request
}

func (l *lastAsked) Do(ctx context.Context, e *upstream.Endpoint, r *upstream.Request) (*upstream.Reply, error) {
	l.endpoint, l.request = e, r
	return l.answers.Do(ctx, e, r)
}

// lastRecord is an audit log of one record.
type lastRecord struct{ audit.Record }

func (l *lastRecord) Write(_ context.Context, r *audit.Record) error {
	l.Offer(r)
	return nil
}

func (l *lastRecord) Offer(r *audit.Record) { l.Record = *r }

// FuzzREST sends anything that HTTP lets through: it reaches the upstream as the
// one operation whose path it has, letter by letter, or not at all.
func FuzzREST(f *testing.F) {
	for _, target := range []string{
		"/v1/organization/projects/proj_1", "/v1/organization/projects/..", "/v1/organization/projects/%2e%2e/users", "/v1/organization/certificates/activate",
		"//v1/organization/users", "http://elsewhere/v1/organization/users", "/v1/organization/audit_logs?effective_at[gt]=1&project_ids[]=a", "/v1/organization/users?limit=1;limit=2",
		"/v1/organization/users/%75ser", "/v1/organization/users/a%2fb", "*", "/v1/organization/users#x", "/v1/organization/groups/a%20b/users/%c3%a9",
	} {
		for _, verb := range []string{"GET", "POST", "DELETE", "OPTIONS", "CONNECT"} {
			f.Add(verb, target, `{"name":"x"}`)
			f.Add(verb, target, "")
		}
	}
	methods := catalogtest.Gateway(f)
	templates := make(map[*upstream.Endpoint]*regexp.Regexp)
	for _, m := range methods.Mirrored() {
		templates[m.Endpoint] = regexp.MustCompile("^/v1" + pathVariable.ReplaceAllString(m.Endpoint.Template(), "([^/]+)") + "$")
	}
	up, kept := &lastAsked{answers: gatewaytest.LeastAnswers(f, "")}, new(lastRecord)
	door := service.NewHTTPHandler(gatewaytest.New(f, gatewaytest.WithUpstream(up), gatewaytest.WithAudit(kept)).Server, methods)
	f.Fuzz(func(t *testing.T, verb, target, body string) {
		up.endpoint, up.request = nil, nil
		line := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			verb, target, admissiontest.TokenOf("root"), len(body), body)
		request, err := http.ReadRequest(bufio.NewReader(strings.NewReader(line)))
		if err != nil || request.URL.Host != "" && request.URL.Host != "elsewhere" || len(request.Header) != 3 {
			return // No HTTP, or another request than this one.
		}
		reply := httptest.NewRecorder()
		door.ServeHTTP(reply, request)
		if up.endpoint == nil {
			var told map[string]map[string]any
			if reply.Code < 400 || reply.Code >= 500 {
				t.Fatalf("%s %s: not sent, and %d", verb, target, reply.Code)
			}
			if strings.HasPrefix(request.URL.EscapedPath(), "/v1/") && (json.Unmarshal(reply.Body.Bytes(), &told) != nil || told["error"]["message"] == "") {
				t.Errorf("%s %s: %d %s", verb, target, reply.Code, reply.Body)
			}
			return
		}
		asked := request.URL.EscapedPath()
		ids := templates[up.endpoint].FindStringSubmatch(asked)
		if request.Method != up.endpoint.Verb() || ids == nil || up.request.Verb != request.Method {
			t.Fatalf("%s %s went out as %s %s of %s", verb, target, up.request.Verb, up.request.Path, up.endpoint)
		}
		sent := templates[up.endpoint].FindStringSubmatch("/v1" + up.request.Path)
		for i, id := range ids[1:] {
			want, err := url.PathUnescape(id)
			got, err2 := url.PathUnescape(sent[i+1])
			if err != nil || err2 != nil || got != want || strings.ContainsAny(got, "/\\?#%\x00") || got == "." || got == ".." {
				t.Errorf("%s %s went out as %s", verb, target, up.request.Path)
			}
		}
		answer, err := up.answers.Do(t.Context(), up.endpoint, up.request)
		if err != nil || !bytes.Equal(reply.Body.Bytes(), answer.Body) || reply.Code != http.StatusOK {
			t.Errorf("%s %s: %d %s", verb, target, reply.Code, reply.Body)
		}
		if last, ok := methods.Lookup("/" + kept.Method); !ok || last.Endpoint != up.endpoint {
			t.Errorf("%s %s was recorded as %s", verb, target, kept.Method)
		}
	})
}
