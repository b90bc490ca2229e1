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

// patience bounds every wait for an event that should come at once.
const patience = 30 * time.Second

// place is a URL for clients, with a credential.
type place struct{ url, key string }

// testbed is the Admin API twice, the same to the letter: once as it is, and once
// behind a gateway, which runs in a process of its own.
type testbed struct {
	direct, gateway place
	// reader is the gateway for a caller that may read.
	reader place
	// behind is the gateway's upstream.
	behind    *sandbox.Sandbox
	behindURL string
	// pem is a certificate that the API accepts.
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

// openTestbed starts both sandboxes and the gateway. Their files are in folder.
func openTestbed(ctx context.Context, binary, folder string) (_ *testbed, err error) {
	b := &testbed{ended: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	if b.pem, err = newCertificate(); err != nil {
		return nil, err
	}
	now := time.Date(2026, time.March, 18, 15, 30, 20, 0, time.UTC)
	still := func() time.Time { return now }
	if _, b.direct.url, err = b.play(ctx, still); err != nil {
		return nil, err
	}
	if b.behind, b.behindURL, err = b.play(ctx, still); err != nil {
		return nil, err
	}
	b.direct.url += "/v1"
	b.direct.key = sandbox.DefaultAdminKey
	policy := "callers:\n"
	for _, caller := range []struct {
		name, permission string
		at               *place
	}{{"operator", "*", &b.gateway}, {"auditor", "*.read", &b.reader}} {
		entry, err := newCaller(ctx, binary, caller.name, fmt.Sprintf("[{permissions: [%q]}]", caller.permission), caller.at)
		if err != nil {
			return nil, err
		}
		policy += entry
	}
	return b, b.start(binary, folder, policy, "")
}

// newCaller returns an entry of a policy, and sets the caller's token.
func newCaller(ctx context.Context, binary, name, grants string, at *place) (entry string, err error) {
	token, hash, err := newToken(ctx, binary)
	if err != nil {
		return "", err
	}
	at.key = token
	return fmt.Sprintf("  - name: %s\n    authenticate: [%s]\n    grants: %s\n", name, hash, grants), nil
}

// play serves a new sandbox with a clock.
func (b *testbed) play(ctx context.Context, now func() time.Time) (*sandbox.Sandbox, string, error) {
	fake := sandbox.New(sandbox.Options{Seed: 7, Users: 60, Projects: 12, AuditEvents: 400, Now: now})
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	server := &http.Server{Handler: fake, ReadHeaderTimeout: patience}
	b.servers = append(b.servers, server)
	go func() { _ = server.Serve(listener) }() // Ends with close.
	return fake, "http://" + listener.Addr().String(), nil
}

// start starts the gateway with a policy, and with more in its config, and waits until it
// serves.
func (b *testbed) start(binary, folder, policy, more string) error {
	config := fmt.Sprintf(`listen: 127.0.0.1:0
ops_listen: 127.0.0.1:0
upstream:
  base_url: %s/v1
  admin_key: {file: %s}
  # The sandbox has no budget, and no test has to wait for one.
  budget: {organization: {calls_per_minute: 100000, burst: 10000}, default: {calls_per_minute: 100000, burst: 10000}}
policy: %s
%s`, b.behindURL, filepath.Join(folder, "key"), filepath.Join(folder, "policy.yaml"), more)
	for name, text := range map[string]string{"key": sandbox.DefaultAdminKey, "policy.yaml": policy, "gateway.yaml": config} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	b.process = exec.Command(binary, "serve", "--config", filepath.Join(folder, "gateway.yaml")) //nolint:noctx,gosec // built above; close ends it
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
		b.gateway.url = "http://" + address + "/v1"
		b.reader.url = b.gateway.url
		return nil
	case <-b.ended:
		return errors.New("the gateway ended before it served")
	case <-time.After(patience):
		return errors.New("the gateway does not serve")
	}
}

// follow reads the gateway's log to its end.
func (b *testbed) follow(logs io.Reader, listening chan<- string) {
	defer close(b.ended)
	lines := bufio.NewScanner(logs)
	for lines.Scan() {
		var line struct{ Msg, Listen string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
			listening <- line.Listen
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

// newToken asks the gateway for a token, and returns its hash for the policy too.
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
