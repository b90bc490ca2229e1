package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/processtest"
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
	gateway *processtest.Gateway
}

// openTestbed builds the gateway from the sources beside this module, and starts all. The
// files are in folder.
func openTestbed(ctx context.Context, folder string) (_ *testbed, err error) {
	b := &testbed{folder: folder, tokens: map[string]string{}, sandbox: sandbox.New(sandbox.Options{Seed: 7})}
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
	if err := processtest.BuildGateway(ctx, filepath.Join("..", ".."), binary); err != nil {
		return nil, fmt.Errorf("build the gateway: %w", err)
	}
	if err := b.configure(ctx, binary, folder, keys); err != nil {
		return nil, err
	}
	b.gateway = &processtest.Gateway{Binary: binary, Config: filepath.Join(folder, "gateway.yaml")}
	if err := b.gateway.Start(ctx); err != nil {
		return nil, err
	}
	b.url = b.gateway.VaultURL()
	return b, nil
}

// serve serves a handler on a port of its own.
func (b *testbed) serve(ctx context.Context, handler http.Handler) (string, error) {
	server, url, err := processtest.Serve(ctx, handler)
	if err == nil {
		b.servers = append(b.servers, server)
	}
	return url, err
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
			if b.tokens[caller], credential, err = processtest.NewToken(ctx, binary); err != nil {
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

// close ends everything that was started, and waits for it. It passes on what the gateway
// has logged as an error.
func (b *testbed) close() error {
	var errs []error
	if b.gateway != nil {
		errs = append(errs, b.gateway.Stop())
		log, err := os.ReadFile(filepath.Join(b.folder, "gateway.log"))
		errs = append(errs, err)
		for line := range strings.Lines(string(log)) {
			if strings.Contains(line, `"level":"ERROR"`) {
				fmt.Fprint(os.Stderr, line)
			}
		}
	}
	for _, server := range b.servers {
		errs = append(errs, server.Close())
	}
	return errors.Join(errs...)
}
