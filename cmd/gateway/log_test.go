package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service/authn"
)

// TestAStalledLogHoldsUpNoCall: calls are answered while nobody reads the standard
// error, though each has a line, and so is the end. When somebody reads on, the lines
// are there.
func TestAStalledLogHoldsUpNoCall(t *testing.T) {
	t.Parallel()
	const calls = 600 // More lines than a pipe takes.
	fake := httptest.NewServer(sandbox.New(sandbox.Options{Seed: 1}))
	t.Cleanup(fake.Close)
	token, hash, err := authn.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	policy := writeFile(t, "policy.yaml", `
callers:
  - name: reader
    authenticate: [{token_sha256: `+hash+`}]
    grants: [{permissions: ["*.read"]}]
    limits: {requests_per_second: 1000000, burst: 1000000, concurrent: 100}
`)
	config := writeFile(t, "gateway.yaml", `
listen: 127.0.0.1:0
ops_listen: 127.0.0.1:0
shutdown: {delay: 0s}
log: {calls: all}
audit: {path: /dev/null}
policy: `+policy+`
upstream:
  base_url: `+fake.URL+`/v1
  admin_key: {file: `+writeFile(t, "key", sandbox.DefaultAdminKey)+`}
`)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = reader.Close(), writer.Close() }()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, []string{"serve", "--config", config}, streams{newOutput(), writer}) }()

	lines := bufio.NewReader(reader)
	var at struct {
		Listen    string `json:"listen"`
		OpsListen string `json:"ops_listen"`
	}
	for at.Listen == "" {
		if err := reader.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		line, err := lines.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(line, &at); err != nil {
			t.Fatal(err)
		}
	}
	// From here on nobody reads.
	transport := &http.Transport{}
	client := &http.Client{Transport: transport, Timeout: patience}
	for range calls {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+at.Listen+"/v1/organization/users?limit=3", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		reply, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, reply.Body); err != nil || reply.StatusCode != http.StatusOK {
			t.Fatal(reply.Status, err)
		}
		_ = reply.Body.Close()
	}
	transport.CloseIdleConnections()
	stop()
	select {
	case code := <-ended:
		if code != 0 {
			t.Errorf("exit code %d", code)
		}
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
	found := 0
	for found < calls {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("%d lines of %d calls: %v", found, calls, err)
		}
		if strings.Contains(line, `"msg":"call"`) {
			found++
		}
	}
}
