package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/admin-gateway/admin-gateway/sandbox"
)

// patience bounds every wait for an event that should come at once.
const patience = 30 * time.Second

// testbed is a gateway in a process of its own, in front of a sandbox.
type testbed struct {
	// url is the gateway for Vault's clients, and upstream is the sandbox.
	url, upstream string
	// folder has all files.
	folder  string
	sandbox *sandbox.Sandbox
	issuer  *issuer
	tokens  map[string]string // by caller

	servers []*http.Server
	process *exec.Cmd
	ended   chan struct{}
}

// openTestbed builds the gateway from the sources beside this module, and starts all. The
// files are in folder.
func openTestbed(ctx context.Context, folder string) (_ *testbed, err error) {
	b := &testbed{folder: folder, ended: make(chan struct{}), tokens: map[string]string{}, sandbox: sandbox.New(sandbox.Options{Seed: 7})}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	if b.issuer, err = newIssuer(); err != nil {
		return nil, err
	}
	keys, err := b.serve(ctx, b.issuer)
	if err != nil {
		return nil, err
	}
	if b.upstream, err = b.serve(ctx, b.sandbox); err != nil {
		return nil, err
	}
	binary := filepath.Join(folder, "gateway")
	build := exec.CommandContext(ctx, "go", "build", "-C", filepath.Join("..", ".."), "-o", binary, "./cmd/gateway") //nolint:gosec // The path is ours.
	build.Stdout, build.Stderr = os.Stdout, os.Stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("build the gateway: %w", err)
	}
	if err := b.configure(ctx, binary, folder, keys); err != nil {
		return nil, err
	}
	return b, b.start(binary, folder)
}

// serve serves a handler on a port of its own.
func (b *testbed) serve(ctx context.Context, handler http.Handler) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: patience}
	b.servers = append(b.servers, server)
	go func() { _ = server.Serve(listener) }() // Ends with close.
	return "http://" + listener.Addr().String(), nil
}

// configure writes the files of the gateway. The role brief is for clients that see a
// lease renewed, and replaced when it cannot be; the role site is static.
func (b *testbed) configure(ctx context.Context, binary, folder, keys string) error {
	known, err := b.sandbox.ProjectKeys("")
	if err != nil {
		return err
	}
	policy := strings.ReplaceAll(`roles:
  - {name: search, project: PROJECT, service_account: search, scopes: [api.model.read], ttl: 1h, max_ttl: 24h}
  - {name: brief, project: PROJECT, service_account: brief, scopes: [api.model.read], ttl: 4s, max_ttl: 10s, grace: 2s}
  - {name: site, project: PROJECT, service_account: site, scopes: [api.model.read], ttl: 1h, max_ttl: 24h, static: {rotation_period: 1m, overlap: 1m}}
callers:
`, "PROJECT", known[0].ProjectID)
	for _, caller := range []string{"ann", "bob", "pod"} {
		credential := fmt.Sprintf("{jwt: {issuer: %q, subject: %q}}", issuerURL, podSubject)
		if caller != "pod" {
			if b.tokens[caller], credential, err = newToken(ctx, binary); err != nil {
				return err
			}
		}
		policy += fmt.Sprintf(`  - name: %s
    authenticate: [%s]
    grants:
      - {permissions: [leases.create, leases.renew, leases.revoke, leases.read, leases.read_static, leases.rotate_static], roles: ["*"]}
      - {permissions: [sessions.*]}
    leases: {max_live: 50, mints_per_hour: 1000}
`, caller, credential)
	}
	config := fmt.Sprintf(`listen: 127.0.0.1:0
ops_listen: 127.0.0.1:0
vault_listen: 127.0.0.1:0
upstream:
  base_url: %s/v1
  admin_key: {file: %s}
  # The sandbox has no budget, and no test has to wait for one.
  budget: {organization: {calls_per_minute: 100000, burst: 10000}, default: {calls_per_minute: 100000, burst: 10000}}
authn:
  issuers: [{url: %q, audiences: [admin-gateway], jwks_url: %q}]
leases: {path: %s}
policy: %s
shutdown: {delay: 0s}
`, b.upstream, filepath.Join(folder, "key"), issuerURL, keys, filepath.Join(folder, "leases.db"), filepath.Join(folder, "policy.yaml"))
	for name, text := range map[string]string{"key": sandbox.DefaultAdminKey, "policy.yaml": policy, "gateway.yaml": config} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// start starts the gateway and waits until it serves.
func (b *testbed) start(binary, folder string) error {
	b.process = exec.Command(binary, "serve", "--config", filepath.Join(folder, "gateway.yaml")) //nolint:noctx,gosec // Built above; close ends it.
	logs, err := b.process.StderrPipe()
	if err != nil {
		return err
	}
	if err := b.process.Start(); err != nil {
		b.process = nil
		return err
	}
	listening := make(chan string, 1)
	go b.follow(logs, listening)
	select {
	case address := <-listening:
		b.url = "http://" + address
		return nil
	case <-b.ended:
		return errors.New("the gateway ended before it served")
	case <-time.After(patience):
		return errors.New("the gateway does not serve")
	}
}

// follow reads the gateway's log to its end, and passes on what it warns of.
func (b *testbed) follow(logs io.Reader, listening chan<- string) {
	defer close(b.ended)
	lines := bufio.NewScanner(logs)
	for lines.Scan() {
		var line struct {
			Msg, Level string
			Address    string `json:"vault_listen"`
		}
		if json.Unmarshal(lines.Bytes(), &line) != nil {
			fmt.Fprintln(os.Stderr, lines.Text())
			continue
		}
		switch {
		case line.Msg == "serving":
			listening <- line.Address
		case line.Level == "ERROR":
			fmt.Fprintln(os.Stderr, lines.Text())
		}
	}
}

// close ends everything that was started, and waits for it.
func (b *testbed) close() error {
	var errs []error
	if b.process != nil {
		errs = append(errs, b.process.Process.Signal(syscall.SIGTERM))
		select {
		case <-b.ended:
		case <-time.After(patience):
			errs = append(errs, errors.New("the gateway had to be killed"), b.process.Process.Kill())
			<-b.ended
		}
		errs = append(errs, b.process.Wait())
	}
	for _, server := range b.servers {
		errs = append(errs, server.Close())
	}
	return errors.Join(errs...)
}

// newToken asks the gateway for a token, and returns its line in a policy too.
func newToken(ctx context.Context, binary string) (token, credential string, err error) {
	out, err := exec.CommandContext(ctx, binary, "token", "new").Output()
	if err != nil {
		return "", "", err
	}
	for line := range strings.Lines(string(out)) {
		if value, ok := strings.CutPrefix(line, "token: "); ok {
			token = strings.TrimSpace(value)
		}
		if value, ok := strings.CutPrefix(line, "policy: "); ok {
			credential = strings.TrimSpace(value)
		}
	}
	return token, credential, nil
}
