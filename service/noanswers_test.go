package service_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"connectrpc.com/connect/v2"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/internal/racing"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// served is what an upstream says over HTTP.
type served struct {
	status int
	body   string
}

// newServedGateway is a gateway with a cache, in front of a server that says what the
// test stores.
func newServedGateway(t *testing.T) (*gatewaytest.Gateway, *atomic.Pointer[served]) {
	t.Helper()
	var says atomic.Pointer[served]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answer := says.Load()
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(answer.status)
		_, _ = io.WriteString(w, answer.body)
	}))
	t.Cleanup(server.Close)
	client, err := upstream.New(upstream.Config{BaseURL: server.URL + "/v1", AllowPlaintext: true, Key: gatewaytest.SandboxKey{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return gatewaytest.New(t, gatewaytest.WithUpstream(client), gatewaytest.WithMemoryCache()), &says
}

// TestNoAnswers: a 2xx that is no answer to the operation is not taken for one. A read
// fails, and nothing of it is stored; of a write the outcome is unknown.
func TestNoAnswers(t *testing.T) {
	t.Parallel()
	requests := requestsOf(t, catalogtest.Gateway(t), "a")
	for _, m := range racing.Some(catalogtest.Gateway(t).Mirrored(), 40) {
		t.Run(m.ShortName(), func(t *testing.T) {
			t.Parallel()
			h, says := newServedGateway(t)
			client := h.Client("root")
			call := func(status int, body string) error {
				says.Store(&served{status, body})
				return client.CallUnary(t.Context(), m.Spec(), requests[m.ShortName()], m.Response.New().Interface())
			}
			least := catalogtest.LeastAnswer(t, m)
			none := []served{
				{200, `{}`},
				{200, `{"error":{"message":"m","type":"server_error","param":null,"code":null}}`},
				{200, `{"code":"x","message":"y"}`},
				{200, `{"object":"error"}`},
				{200, strings.ReplaceAll(strings.ReplaceAll(least, "[]", "null"), `"x_1"`, "null")},
				{201, ``}, {204, ``}, {205, ``}, {206, least}, {207, least},
			}
			for _, no := range none {
				if no.body == least && no.status == 200 {
					continue
				}
				before := h.Asked.Load()
				err := call(no.status, no.body)
				code, why := connect.CodeUnavailable, upstream.ReasonBadResponse
				if !m.Read {
					code, why = connect.CodeUnknown, upstream.ReasonOutcomeUnknown
				}
				if connect.CodeOf(err) != code || reason(t, err) != why || len(details[*errdetails.RetryInfo](t, err)) > 0 {
					t.Errorf("%d %s: got %v, want %s", no.status, no.body, err, why)
				}
				if n := h.Asked.Load() - before; n != 1 {
					t.Errorf("%d %s: the upstream was asked %d times", no.status, no.body, n)
				}
			}
			for _, status := range []int{200, 201, 202, 203} {
				h, says = newServedGateway(t)
				client = h.Client("root")
				if err := call(status, least); err != nil {
					t.Errorf("%d %s is an answer: %v", status, least, err)
				}
			}
		})
	}
}

// TestInventoryOverNoAnswers: an inventory over lists that are none does not end as
// if there were nothing.
func TestInventoryOverNoAnswers(t *testing.T) {
	t.Parallel()
	up := gatewaytest.UpstreamFunc(func(context.Context) (*upstream.Reply, error) {
		return &upstream.Reply{Status: http.StatusOK, Body: []byte(`{"error":{"message":"m"}}`)}, nil
	})
	gw := &tourGateway{gatewaytest.New(t, gatewaytest.WithUpstream(up))}
	for _, method := range inventories(gw.Catalog) {
		got, err := gw.stream(t.Context(), doors[0], "root", method, anyRequest(method))
		if err == nil && (got.end.GetComplete() != nil || len(got.failures) == 0) {
			t.Errorf("%s: %v", method.ShortName(), got)
		}
	}
}

// TestRESTDoesNotRepeatABadAnswer: a client that repeats a 503 by itself is told not to,
// also for a read.
func TestRESTDoesNotRepeatABadAnswer(t *testing.T) {
	t.Parallel()
	up := gatewaytest.UpstreamFunc(func(context.Context) (*upstream.Reply, error) {
		return &upstream.Reply{Status: http.StatusOK, Body: []byte(`{"object":"list"}`)}, nil
	})
	h := newRESTGateway(t, gatewaytest.WithUpstream(up))
	for verb, want := range map[string]string{http.MethodGet: "503 upstream_bad_response", http.MethodPost: "424 outcome_unknown"} {
		var body io.Reader
		if verb == http.MethodPost {
			body = strings.NewReader(`{"name":"x"}`)
		}
		r := h.send(t, verb, "/v1/organization/projects", body)
		_, _, _, code := r.errorBody(t)
		if got := fmt.Sprint(r.status, " ", code); got != want || r.header.Get("X-Should-Retry") != "false" || r.header.Get("Retry-After") != "" {
			t.Errorf("%s: got %s with %v, want %s", verb, got, r.header, want)
		}
	}
}
