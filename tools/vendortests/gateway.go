package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
)

// token is the credential of the gateway's only caller.
const token = "agw_vendortests"

// gateway is a gateway in front of the mock.
type gateway struct {
	*process
	// url is where suites call it: a proxy that puts the caller's token in the place of
	// the suites' own key, which has spaces and so is no bearer token.
	url   string
	proxy *http.Server
	seen  atomic.Int64
}

// startGateway builds the gateway from the sources beside this module, and starts it
// with one caller that may do everything.
func startGateway(ctx context.Context, folder, upstream string) (*gateway, error) {
	binary := filepath.Join(folder, "gateway")
	build := exec.CommandContext(ctx, "go", "build", "-C", filepath.Join("..", ".."), "-o", binary, "./cmd/gateway") //nolint:gosec // our own folder
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("building the gateway: %w", err)
	}
	for name, text := range map[string]string{
		"key": "sk-admin-mock",
		"policy.yaml": fmt.Sprintf(`callers:
  - name: suite
    authenticate: [{token_sha256: %x}]
    grants: [{permissions: ["*"]}]
    limits: {requests_per_second: 1e6, burst: 1000000, concurrent: 1000}
`, sha256.Sum256([]byte(token))),
		"gateway.yaml": fmt.Sprintf(`listen: 127.0.0.1:0
ops_listen: 127.0.0.1:0
upstream:
  base_url: %s
  admin_key: {file: %s}
  # The mock has no budget, and no test has to wait for one.
  budget: {organization: {calls_per_minute: 1000000, burst: 100000}, default: {calls_per_minute: 1000000, burst: 100000}}
policy: %s
`, upstream, filepath.Join(folder, "key"), filepath.Join(folder, "policy.yaml")),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	p, address, err := start(ctx, servingAt, binary, "serve", "--config", filepath.Join(folder, "gateway.yaml"))
	if err != nil {
		return nil, err
	}
	g := &gateway{process: p}
	if err := g.serve(ctx, address); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return g, nil
}

// servingAt finds the address in the log line of a gateway that serves.
func servingAt(line string) (string, bool) {
	var entry struct{ Msg, Listen string }
	err := json.Unmarshal([]byte(line), &entry)
	return entry.Listen, err == nil && entry.Msg == "serving"
}

// serve starts the proxy.
func (g *gateway) serve(ctx context.Context, address string) error {
	target := &url.URL{Scheme: "http", Host: address, Path: "/v1"}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	g.url = "http://" + listener.Addr().String()
	g.proxy = &http.Server{ReadHeaderTimeout: patience, Handler: &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		g.seen.Add(1)
		r.SetURL(target)
		r.Out.Header.Set("Authorization", "Bearer "+token)
	}}}
	go func() { _ = g.proxy.Serve(listener) }() // Ends with stop.
	return nil
}

// calls are the requests so far.
func (g *gateway) calls() int { return int(g.seen.Load()) }

// stop ends the proxy and the gateway.
func (g *gateway) stop() error { return errors.Join(g.proxy.Close(), g.process.stop()) }
