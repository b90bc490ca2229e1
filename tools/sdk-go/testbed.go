package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/processtest"
	"github.com/admin-gateway/admin-gateway/sandbox"
)

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
	process *processtest.Gateway
}

// buildGateway builds the gateway from the sources beside this module.
func buildGateway(ctx context.Context, folder string) (binary string, err error) {
	binary = filepath.Join(folder, "gateway")
	return binary, processtest.BuildGateway(ctx, filepath.Join("..", ".."), binary)
}

// openTestbed starts both sandboxes and the gateway. Their files are in folder.
func openTestbed(ctx context.Context, binary, folder string) (_ *testbed, err error) {
	b := new(testbed)
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
	return b, b.start(ctx, binary, folder, policy, "")
}

// newCaller returns an entry of a policy, and sets the caller's token.
func newCaller(ctx context.Context, binary, name, grants string, at *place) (entry string, err error) {
	token, hash, err := processtest.NewToken(ctx, binary)
	if err != nil {
		return "", err
	}
	at.key = token
	return fmt.Sprintf("  - name: %s\n    authenticate: [%s]\n    grants: %s\n", name, hash, grants), nil
}

// play serves a new sandbox with a clock.
func (b *testbed) play(ctx context.Context, now func() time.Time) (*sandbox.Sandbox, string, error) {
	fake := sandbox.New(sandbox.Options{Seed: 7, Users: 60, Projects: 12, AuditEvents: 400, Now: now})
	server, url, err := processtest.Serve(ctx, fake)
	if err != nil {
		return nil, "", err
	}
	b.servers = append(b.servers, server)
	return fake, url, nil
}

// start starts the gateway with a policy, and with more in its config, and waits until it
// serves.
func (b *testbed) start(ctx context.Context, binary, folder, policy, more string) error {
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
	b.process = &processtest.Gateway{Binary: binary, Config: filepath.Join(folder, "gateway.yaml")}
	if err := b.process.Start(ctx); err != nil {
		return err
	}
	url, _ := b.process.At()
	b.gateway.url = url + "/v1"
	b.reader.url = b.gateway.url
	return nil
}

// close ends everything that was started, and waits for it.
func (b *testbed) close() error {
	var errs []error
	if b.process != nil {
		errs = append(errs, b.process.Stop())
	}
	for _, server := range b.servers {
		errs = append(errs, server.Close())
	}
	return errors.Join(errs...)
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
