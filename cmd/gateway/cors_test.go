package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	"github.com/admin-gateway/admin-gateway/sandbox"
)

// browser sends a request as the page of an origin does.
func browser(t *testing.T, client *http.Client, method, url, origin string, header map[string]string, body string) (status int, answered http.Header, content string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Origin", origin)
	for name, value := range header {
		request.Header.Set(name, value)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(read)
}

// TestPagesOfAllowedOriginsCall: over Connect, gRPC-Web and REST, on one port.
func TestPagesOfAllowedOriginsCall(t *testing.T) {
	t.Parallel()
	fake := httptest.NewServer(sandbox.New(sandbox.Options{Seed: 1}))
	t.Cleanup(fake.Close)
	token, policy := readersPolicy(t)
	c := start(t, "serve", "--config", writeFile(t, "gateway.yaml", `
listen: 127.0.0.1:0
ops_listen: 127.0.0.1:0
shutdown: {delay: 0s}
cors: {allowed_origins: ["https://console.example"], max_age: 1h}
policy: `+policy+`
upstream:
  base_url: `+fake.URL+`/v1
  admin_key: {file: `+writeFile(t, "key", sandbox.DefaultAdminKey)+`}
`))
	at := c.addresses(t)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport, Timeout: patience}
	const mine, theirs = "https://console.example", "https://evil.example"
	const listUsers = adminv1connect.UserServiceListUsersProcedure
	preflight := map[string]string{"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,connect-protocol-version,content-type,idempotency-key,x-grpc-web"}
	auth := "Bearer " + token
	for _, test := range []struct {
		name, method, path string
		header             map[string]string
		body               string
		status             int
	}{
		{"preflight of an RPC", http.MethodOptions, listUsers, preflight, "", http.StatusNoContent},
		{"preflight of REST", http.MethodOptions, "/v1/organization/projects", preflight, "", http.StatusNoContent},
		{"preflight of a delete", http.MethodOptions, "/v1/organization/users/user_1", map[string]string{"Access-Control-Request-Method": "DELETE"}, "", http.StatusNoContent},
		{"Connect", http.MethodPost, listUsers, map[string]string{"Content-Type": "application/json", "Authorization": auth}, "{}", http.StatusOK},
		{"gRPC-Web", http.MethodPost, listUsers, map[string]string{"Content-Type": "application/grpc-web+proto", "Authorization": auth}, "\x00\x00\x00\x00\x00", http.StatusOK},
		{"REST", http.MethodGet, "/v1/organization/users", map[string]string{"Authorization": auth}, "", http.StatusOK},
		{"no credential", http.MethodPost, listUsers, map[string]string{"Content-Type": "application/json"}, "{}", http.StatusUnauthorized},
	} {
		status, header, body := browser(t, client, test.method, "http://"+at.Listen+test.path, mine, test.header, test.body)
		if status != test.status || header.Get("Access-Control-Allow-Origin") != mine || header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %d, %v, %q", test.name, status, header, body)
		}
		if !slices.Contains(header.Values("Vary"), "Origin") && !strings.Contains(strings.Join(header.Values("Vary"), ","), "Origin") {
			t.Errorf("%s: a cache would give it to another origin: %v", test.name, header)
		}
		exposed := strings.ToLower(header.Get("Access-Control-Expose-Headers"))
		for _, name := range []string{"x-request-id", "age", "cache-status", "retry-after", "idempotency-replayed", "grpc-status", "grpc-message", "grpc-status-details-bin"} {
			if test.method != http.MethodOptions && !slices.Contains(strings.Split(strings.ReplaceAll(exposed, " ", ""), ","), name) {
				t.Errorf("%s: %s cannot be read: %s", test.name, name, exposed)
			}
		}
		if test.method == http.MethodOptions && (header.Get("Access-Control-Max-Age") != "3600" || body != "") {
			t.Errorf("%s: %v %q", test.name, header, body)
		}
		_, header, _ = browser(t, client, test.method, "http://"+at.Listen+test.path, theirs, test.header, test.body)
		if got := header.Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("%s: the page of another origin is let in as %q", test.name, got)
		}
	}
	// Clients that are not browsers are not affected, nor are streams.
	http2 := http2Client()
	t.Cleanup(http2.CloseIdleConnections)
	stream, err := connect.NewClient(connecthttp.NewTransport(http2, "http://"+at.Listen, connecthttp.WithGRPC())).CallServerStream(t.Context(),
		connect.Spec{Procedure: healthv1.Health_Watch_FullMethodName, StreamType: connect.StreamTypeServer}, &healthv1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var status healthv1.HealthCheckResponse
	if err := stream.Receive(&status); err != nil || status.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Errorf("watching: %v, %v", &status, err)
	}
	c.cancel()
	for err == nil {
		err = stream.Receive(&status)
	}
	if connect.CodeOf(err) != connect.CodeUnavailable || status.GetStatus() != healthv1.HealthCheckResponse_NOT_SERVING && status.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Errorf("the end: %v after %v", err, &status)
	}
	c.stop(t)
}
