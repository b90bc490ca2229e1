package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
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

// patience bounds every wait for something that should come at once.
const patience = 30 * time.Second

// place is where a client may call, and as whom.
type place struct{ url, key string }

// testbed is the Admin API twice, the same to the letter: once as it is, and once
// behind a gateway, which runs in a process of its own.
type testbed struct {
	direct, gateway place
	// reader is the gateway for a caller that may read.
	reader place
	// behind is what the gateway calls.
	behind    *sandbox.Sandbox
	behindURL string
	// pem is a certificate that the API takes.
	pem string

	servers []*http.Server
	process *exec.Cmd
	ended   chan struct{}
}

// buildGateway builds the gateway from the sources beside this module.
func buildGateway(ctx context.Context, folder string) (binary string, err error) {
	binary = filepath.Join(folder, "gateway")
	return binary, run(ctx, "go", "build", "-C", filepath.Join("..", ".."), "-o", binary, "./cmd/gateway")
}

// openTestbed starts all three. Their files are in folder.
func openTestbed(ctx context.Context, binary, folder string) (_ *testbed, err error) {
	h := &testbed{ended: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.close())
		}
	}()
	if h.pem, err = newCertificate(); err != nil {
		return nil, err
	}
	if _, h.direct.url, err = h.play(ctx); err != nil {
		return nil, err
	}
	if h.behind, h.behindURL, err = h.play(ctx); err != nil {
		return nil, err
	}
	h.direct.url += "/v1"
	h.direct.key = sandbox.DefaultAdminKey
	return h, h.start(ctx, binary, folder)
}

// play serves a new sandbox, whose clock stands still.
func (h *testbed) play(ctx context.Context) (*sandbox.Sandbox, string, error) {
	now := time.Date(2026, time.March, 18, 15, 30, 20, 0, time.UTC)
	fake := sandbox.New(sandbox.Options{Seed: 7, Users: 60, Projects: 12, AuditEvents: 400, Now: func() time.Time { return now }})
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	server := &http.Server{Handler: fake, ReadHeaderTimeout: patience}
	h.servers = append(h.servers, server)
	go func() { _ = server.Serve(listener) }() // Ends with close.
	return fake, "http://" + listener.Addr().String(), nil
}

// start starts the gateway and waits until it serves.
func (h *testbed) start(ctx context.Context, binary, folder string) error {
	policy := "callers:\n"
	for _, caller := range []struct {
		name, permission string
		at               *place
	}{{"operator", "*", &h.gateway}, {"auditor", "*.read", &h.reader}} {
		token, hash, err := newToken(ctx, binary)
		if err != nil {
			return err
		}
		caller.at.key = token
		policy += fmt.Sprintf("  - name: %s\n    authenticate: [%s]\n    grants: [{permissions: [%q]}]\n", caller.name, hash, caller.permission)
	}
	config := fmt.Sprintf(`listen: 127.0.0.1:0
ops_listen: 127.0.0.1:0
upstream:
  base_url: %s/v1
  admin_key: {file: %s}
  # The sandbox has no budget, and nobody is to wait for one.
  budget: {organization: {calls_per_minute: 100000, burst: 10000}, default: {calls_per_minute: 100000, burst: 10000}}
policy: %s
`, h.behindURL, filepath.Join(folder, "key"), filepath.Join(folder, "policy.yaml"))
	for name, text := range map[string]string{"key": sandbox.DefaultAdminKey, "policy.yaml": policy, "gateway.yaml": config} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	h.process = exec.Command(binary, "serve", "--config", filepath.Join(folder, "gateway.yaml")) //nolint:noctx,gosec // built above; close ends it
	logs, err := h.process.StderrPipe()
	if err != nil {
		return err
	}
	if err := h.process.Start(); err != nil {
		h.process = nil
		return err
	}
	listening := make(chan string, 1)
	go h.follow(logs, listening)
	select {
	case address := <-listening:
		h.gateway.url = "http://" + address + "/v1"
		h.reader.url = h.gateway.url
		return nil
	case <-h.ended:
		return errors.New("the gateway ended before it served")
	case <-time.After(patience):
		return errors.New("the gateway does not serve")
	}
}

// follow reads the gateway's log to its end.
func (h *testbed) follow(logs io.Reader, listening chan<- string) {
	defer close(h.ended)
	lines := bufio.NewScanner(logs)
	for lines.Scan() {
		var line struct{ Msg, Listen string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
			listening <- line.Listen
		}
	}
}

// close ends everything that was started, and waits for it.
func (h *testbed) close() error {
	var errs []error
	if h.process != nil {
		errs = append(errs, h.process.Process.Signal(syscall.SIGTERM))
		select {
		case <-h.ended:
		case <-time.After(patience):
			errs = append(errs, errors.New("the gateway had to be killed"), h.process.Process.Kill())
			<-h.ended
		}
		errs = append(errs, h.process.Wait())
	}
	for _, server := range h.servers {
		errs = append(errs, server.Close())
	}
	return errors.Join(errs...)
}

// newToken asks the gateway for a token, and what the policy has of it.
func newToken(ctx context.Context, binary string) (token, hash string, err error) {
	out, err := exec.CommandContext(ctx, binary, "token", "new").Output()
	if err != nil {
		return "", "", err
	}
	for line := range strings.Lines(string(out)) {
		if value, ok := strings.CutPrefix(line, "token: "); ok {
			token = strings.TrimSpace(value)
		}
		if value, ok := strings.CutPrefix(line, "policy: "); ok {
			hash = strings.TrimSpace(value)
		}
	}
	return token, hash, nil
}

// run runs a command to its end.
func run(ctx context.Context, name string, args ...string) error {
	command := exec.CommandContext(ctx, name, args...) //nolint:gosec // by whoever started us
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	if err := command.Run(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func newCertificate() (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sdk"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2027, time.January, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), nil
}
