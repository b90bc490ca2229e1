package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service/authn"
)

// fetch gets a page and leaves no connection behind.
func fetch(t *testing.T, url string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	reply, err := (&http.Client{Transport: transport, Timeout: patience}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := reply.Body.Close(); err != nil {
			t.Error(err)
		}
	}()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply.StatusCode, string(body)
}

// users asks a gateway for users, over gRPC.
func users(t *testing.T, gateway, token string) *adminv1.ListUsersResponse {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client := http2Client()
	defer client.CloseIdleConnections()
	limit := int32(3)
	answer, err := adminv1connect.NewUserServiceClient(connect.NewClient(connecthttp.NewTransport(client, gateway, connecthttp.WithGRPC()), withToken(token))).
		ListUsers(ctx, &adminv1.ListUsersRequest{Limit: &limit})
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestServe(t *testing.T) {
	t.Parallel()
	fake := httptest.NewServer(sandbox.New(sandbox.Options{Seed: 1}))
	t.Cleanup(fake.Close)
	token, policy := readersPolicy(t)
	c := start(t, "serve", "--config", writeFile(t, "gateway.yaml", `
listen: 127.0.0.1:0
ops_listen: 127.0.0.1:0
shutdown: {delay: 0s}
log: {level: debug}
policy: `+policy+`
upstream:
  base_url: `+fake.URL+`/v1
  admin_key: {file: `+writeFile(t, "key", sandbox.DefaultAdminKey+"\n")+`}
`))
	var at struct {
		Listen    string `json:"listen"`
		OpsListen string `json:"ops_listen"`
	}
	if err := json.Unmarshal([]byte(c.err.line(t, c.ended, "ops_listen")), &at); err != nil {
		t.Fatal(err)
	}
	if got := users(t, "http://"+at.Listen, token); len(got.GetData()) != 3 || !got.GetHasMore() {
		t.Errorf("answer %v", got)
	}
	for path, want := range map[string]string{"/healthz": "ok\n", "/readyz": "ok\n", "/metrics": "go_goroutines"} {
		if status, body := fetch(t, "http://"+at.OpsListen+path); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d %q", path, status, body)
		}
		if status, _ := fetch(t, "http://"+at.Listen+path); status != http.StatusNotFound {
			t.Errorf("%s is on the callers' port: %d", path, status)
		}
	}
	client := http2Client()
	defer client.CloseIdleConnections()
	if err := reflects(t, client, at.Listen, token); connect.CodeOf(err) != connect.CodeUnimplemented {
		t.Errorf("reflection is on by itself: %v", err)
	}
	c.stop(t)
	for stream, said := range map[string]string{"log": c.err.String(), "audit": c.out.String()} {
		if strings.Contains(said, sandbox.DefaultAdminKey) || strings.Contains(said, token) {
			t.Errorf("the %s has a secret: %s", stream, said)
		}
	}
	if said := c.out.String(); strings.Count(said, "\n") != 1 || !strings.Contains(said, `"caller":"reader"`) {
		t.Errorf("the one call was recorded as %s", said)
	}
}

// readersPolicy writes a policy with one caller that may read. It returns the token
// of the caller and the path.
func readersPolicy(t *testing.T) (token, path string) {
	t.Helper()
	token, hash, err := authn.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	return token, writeFile(t, "policy.yaml", `
callers:
  - name: reader
    authenticate: [{token_sha256: `+hash+`}]
    grants:
      - {permissions: ["*.read"]}
      - {permissions: ["projects.*"], projects: [proj_a]}
`)
}

func TestServeErrors(t *testing.T) {
	t.Parallel()
	_, policy := readersPolicy(t)
	head := "listen: 127.0.0.1:0\nops_listen: 127.0.0.1:0\npolicy: " + policy + "\n"
	key := writeFile(t, "key", "sk-admin-1")
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := taken.Close(); err != nil {
			t.Error(err)
		}
	})
	for name, test := range map[string]struct{ file, want string }{
		"no key":           {head, "upstream.admin_key"},
		"no key file":      {head + "upstream: {admin_key: {file: /nonexistent/key}}", "/nonexistent/key"},
		"no key variable":  {head + "upstream: {admin_key: {env: GATEWAY_TEST_NO_SUCH_KEY}}", "GATEWAY_TEST_NO_SUCH_KEY"},
		"no policy":        {"upstream: {admin_key: {file: " + key + "}}", "config key policy"},
		"no policy file":   {"policy: /nonexistent/policy.yaml\nupstream: {admin_key: {file: " + key + "}}", "/nonexistent/policy.yaml"},
		"bad policy":       {"policy: " + writeFile(t, "policy.yaml", "callers:\n  - names: a\n") + "\nupstream: {admin_key: {file: " + key + "}}", "policy.yaml:2:5: "},
		"no audit":         {head + "audit: {path: /nonexistent/audit}\nupstream: {admin_key: {file: " + key + "}}", "/nonexistent/audit"},
		"no collector":     {head + "telemetry: {otlp_endpoint: nowhere}\nupstream: {admin_key: {file: " + key + "}}", "config key telemetry.otlp_endpoint: "},
		"no collector key": {head + "telemetry: {otlp_endpoint: 'c:1', otlp_headers: [{name: a, file: /nonexistent/otlp}]}\nupstream: {admin_key: {file: " + key + "}}", "/nonexistent/otlp"},
		"no certificate":   {head + "tls: {cert_file: /nonexistent/crt, key_file: /nonexistent/key}\nupstream: {admin_key: {file: " + key + "}}", "/nonexistent/crt"},
		"no URL":           {head + "upstream: {base_url: nowhere, admin_key: {file: " + key + "}}", "base URL"},
		"address taken":    {"policy: " + policy + "\nlisten: " + taken.Addr().String() + "\nupstream: {base_url: 'http://127.0.0.1:1', admin_key: {file: " + key + "}}", taken.Addr().String()},
		"gRPC taken":       {"policy: " + policy + "\nlisten: 127.0.0.1:0\ngrpc_listen: " + taken.Addr().String() + "\nupstream: {base_url: 'http://127.0.0.1:1', admin_key: {file: " + key + "}}", taken.Addr().String()},
		"operations taken": {"policy: " + policy + "\nlisten: 127.0.0.1:0\nops_listen: " + taken.Addr().String() + "\nupstream: {base_url: 'http://127.0.0.1:1', admin_key: {file: " + key + "}}", taken.Addr().String()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, errs bytes.Buffer
			if code := run(t.Context(), []string{"serve", "--config", writeFile(t, "gateway.yaml", test.file)}, streams{&out, &errs}); code != 1 {
				t.Errorf("exit code %d", code)
			}
			if !strings.HasPrefix(errs.String(), "gateway: ") || !strings.Contains(errs.String(), test.want) {
				t.Errorf("standard error lacks %q: %q", test.want, &errs)
			}
		})
	}
}

func TestDemoOnce(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	var out, errs bytes.Buffer
	if code := run(ctx, []string{"demo", "--once", "--listen", "127.0.0.1:0"}, streams{&out, &errs}); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, s := range samples(io.Discard, "http://127.0.0.1:1", "http://127.0.0.1:1", new(demoCallers), nil) {
		if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(s.name) + ` +` + s.caller + ` +` + regexp.QuoteMeta(s.over) + ` `).MatchString(out.String()) {
			t.Errorf("no sample %s over %s", s.name, s.over)
		}
	}
	if errs.Len() > 0 || strings.Contains(out.String(), "FAILED") {
		t.Errorf("said %s and, on standard error, %s", &out, &errs)
	}
}

func TestDemoServesUntilStopped(t *testing.T) {
	t.Parallel()
	c := start(t, "demo", "--listen", "127.0.0.1:0")
	c.out.line(t, c.ended, "--list-methods")
	gateway := regexp.MustCompile(`the gateway in front of it on (http://\S+)\.\n`).FindStringSubmatch(c.out.String())
	if gateway == nil {
		t.Fatalf("no address in %s", c.out)
	}
	token := regexp.MustCompile(`AUDITOR=(\S+)`).FindStringSubmatch(c.out.String())
	if token == nil {
		t.Fatalf("no token in %s", c.out)
	}
	if got := users(t, gateway[1], token[1]); len(got.GetData()) != 3 {
		t.Errorf("answer %v", got)
	}
	c.stop(t)
}

// TestSamplesFail: the demo fails when its upstream fails.
func TestSamplesFail(t *testing.T) {
	t.Parallel()
	nobody := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(nobody.Close)
	var out bytes.Buffer
	if err := runSamples(t.Context(), &out, nobody.URL, nobody.URL, new(demoCallers), nil); err == nil || !strings.Contains(out.String(), "FAILED: ") {
		t.Errorf("error %v after %s", err, &out)
	}
}

func TestSandboxServesUntilStopped(t *testing.T) {
	t.Parallel()
	c := start(t, "sandbox", "--listen", "127.0.0.1:0", "--users", "7")
	line := c.out.line(t, c.ended, "The fake Admin API is on ")
	url := regexp.MustCompile(`http://\S+/v1`).FindString(line)
	if status, _ := fetch(t, url+"/organization/users"); status != http.StatusUnauthorized {
		t.Errorf("without a key: %d", status)
	}
	c.stop(t)
}

// TestDemoOverTLS: all sample calls of a demo over TLS go as they should, with the
// certificate that it leaves behind, beside which there is no private key.
func TestDemoOverTLS(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "public")
	demo := start(t, "demo", "--once", "--listen", "127.0.0.1:0", "--tls", folder)
	select {
	case code := <-demo.ended:
		if out := demo.out.String(); code != 0 || !strings.Contains(out, "in front of it on https://127.0.0.1:") {
			t.Fatalf("the demo ended with %d:\n%s\n%s", code, out, demo.err)
		}
	case <-time.After(patience):
		t.Fatal("the demo did not end")
	}
	files, err := os.ReadDir(folder)
	if err != nil || len(files) != 1 || files[0].Name() != "ca.pem" {
		t.Errorf("files %v, error %v", files, err)
	}
}
