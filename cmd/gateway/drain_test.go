package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/tlstest"
	"github.com/admin-gateway/admin-gateway/sandbox"
)

// addresses are where a gateway says that it serves.
type addresses struct {
	Listen     string `json:"listen"`
	GRPCListen string `json:"grpc_listen"`
	OpsListen  string `json:"ops_listen"`
}

func (c command) addresses(t *testing.T) (at addresses) {
	t.Helper()
	if err := json.Unmarshal([]byte(c.err.line(t, c.ended, "ops_listen")), &at); err != nil {
		t.Fatal(err)
	}
	return at
}

// urls are those of the port for callers and of the one for operators.
func (c command) urls(t *testing.T) (callers, operators string) {
	t.Helper()
	at := c.addresses(t)
	return "http://" + at.Listen, "http://" + at.OpsListen
}

// TestServeDrains: a gateway that is stopped first reports it, and serves on.
func TestServeDrains(t *testing.T) {
	t.Parallel()
	fake := httptest.NewServer(sandbox.New(sandbox.Options{Seed: 1}))
	t.Cleanup(fake.Close)
	token, policy := readersPolicy(t)
	c := start(t, "serve", "--config", writeFile(t, "gateway.yaml", `
listen: 127.0.0.1:0
grpc_listen: 127.0.0.1:0
ops_listen: 127.0.0.1:0
shutdown: {delay: 3s, timeout: 30s}
reflection: true
policy: `+policy+`
upstream:
  base_url: `+fake.URL+`/v1
  admin_key: {file: `+writeFile(t, "key", sandbox.DefaultAdminKey)+`}
`))
	at := c.addresses(t)
	client := http2Client()
	t.Cleanup(client.CloseIdleConnections)
	if err := reflects(t, client, at.Listen, token); err != nil {
		t.Errorf("reflection is on: %v", err)
	}
	if err := reflects(t, client, at.GRPCListen, ""); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("reflection for everybody: %v", err)
	}
	watches := make(map[string]connect.ClientStream)
	for _, address := range []string{at.Listen, at.GRPCListen} {
		stream, err := connect.NewClient(connecthttp.NewTransport(client, "http://"+address, connecthttp.WithGRPC())).CallServerStream(t.Context(),
			connect.Spec{Procedure: healthv1.Health_Watch_FullMethodName, StreamType: connect.StreamTypeServer}, &healthv1.HealthCheckRequest{Service: "admingateway.admin.v1.UserService"})
		if err != nil {
			t.Fatal(err)
		}
		watches[address] = stream
		wantHealth(t, stream, healthv1.HealthCheckResponse_SERVING)
	}
	if status, body := fetch(t, "http://"+at.OpsListen+"/readyz"); status != http.StatusOK || body != "ok\n" {
		t.Errorf("before: %d %q", status, body)
	}
	c.cancel()
	for _, stream := range watches {
		wantHealth(t, stream, healthv1.HealthCheckResponse_NOT_SERVING)
	}
	if status, body := fetch(t, "http://"+at.OpsListen+"/readyz?verbose"); status != http.StatusServiceUnavailable || !strings.Contains(body, "the gateway stops") {
		t.Errorf("draining: %d %q", status, body)
	}
	if status, _ := fetch(t, "http://"+at.OpsListen+"/healthz"); status != http.StatusOK {
		t.Errorf("a gateway that drains is not ill: %d", status)
	}
	for address := range watches {
		if got := users(t, "http://"+address, token); len(got.GetData()) != 3 {
			t.Errorf("draining: answered %v", got)
		}
	}
	for _, stream := range watches {
		if err := stream.Receive(new(healthv1.HealthCheckResponse)); connect.CodeOf(err) != connect.CodeUnavailable {
			t.Errorf("the end of a stream: %v", err)
		}
	}
	c.stop(t)
}

// reflects asks for the schema.
func reflects(t *testing.T, client *http.Client, address, token string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stream, err := connect.NewClient(connecthttp.NewTransport(client, "http://"+address, connecthttp.WithGRPC()), withToken(token)).CallClientStream(ctx,
		connect.Spec{Procedure: reflectionv1.ServerReflection_ServerReflectionInfo_FullMethodName, StreamType: connect.StreamTypeBidi})
	if err != nil {
		return err
	}
	_ = stream.Send(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}}) // Receive says why not.
	return stream.Receive(new(reflectionv1.ServerReflectionResponse))
}

func wantHealth(t *testing.T, stream connect.ClientStream, want healthv1.HealthCheckResponse_ServingStatus) {
	t.Helper()
	var got healthv1.HealthCheckResponse
	if err := stream.Receive(&got); err != nil || got.GetStatus() != want {
		t.Errorf("told %s, %v, want %s", got.GetStatus(), err, want)
	}
}

// TestOperatorsTLS: with authorities, only probes need no certificate.
func TestOperatorsTLS(t *testing.T) {
	t.Parallel()
	fake := httptest.NewServer(sandbox.New(sandbox.Options{Seed: 1}))
	t.Cleanup(fake.Close)
	ca := tlstest.NewAuthority(t)
	files := ca.Write(ca.Issue("gateway.example"))
	roots := x509.NewCertPool()
	roots.AddCert(ca.Certificate)
	_, policy := readersPolicy(t)
	c := start(t, "serve", "--config", writeFile(t, "gateway.yaml", `
listen: 127.0.0.1:0
ops_listen: 127.0.0.1:0
shutdown: {delay: 0s}
ops_tls: {cert_file: `+files+`/tls.crt, key_file: `+files+`/tls.key, client_ca_file: `+files+`/ca.crt}
policy: `+policy+`
upstream:
  base_url: `+fake.URL+`/v1
  admin_key: {file: `+writeFile(t, "key", sandbox.DefaultAdminKey)+`}
`))
	at := c.addresses(t)
	for name, certificates := range map[string][]tls.Certificate{"nobody": nil, "prometheus": {ca.Issue("prometheus.example")}} {
		config := &tls.Config{RootCAs: roots, ServerName: "gateway.example", Certificates: certificates, MinVersion: tls.VersionTLS12}
		transport := &http.Transport{TLSClientConfig: config}
		client := &http.Client{Transport: transport, Timeout: patience}
		for path, open := range map[string]bool{"/healthz": true, "/readyz": true, "/metrics": false, "/debug/pprof/": false, "/readyz/../metrics": false} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+at.OpsListen+path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			response, err := client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if refused := response.StatusCode == http.StatusForbidden; refused != (!open && certificates == nil) {
				t.Errorf("%s gets %s: %s", name, path, response.Status)
			}
		}
		transport.CloseIdleConnections()
	}
	c.stop(t)
}
