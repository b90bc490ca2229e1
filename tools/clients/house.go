package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/admin-gateway/admin-gateway/internal/processtest"
	"github.com/admin-gateway/admin-gateway/sandbox"
)

// house is what the clients call: a gateway in a process of its own, behind TLS, in front
// of a sandbox; and the server "script".
type house struct {
	folder  string
	sandbox *sandbox.Sandbox
	gateway *processtest.Gateway
	address string // the gateway's, which it has again after a restart
	script  *scripted
	records *records
	tokens  map[string]string // by caller
	project string            // the only one that the caller "team" gets to

	upstream *http.Server
}

// policy has the callers. The token of "late" has ended; that of "passing" ends when a case
// says so.
const policy = `roles:
  - {name: batch, project: PROJECT, service_account: batch, scopes: [api.model.request], ttl: 60s, max_ttl: 1h, grace: 2s}
callers:
  - {name: operator, authenticate: [{token_sha256: "OPERATOR"}], grants: [{permissions: ["*"], roles: ["*"]}], leases: {max_live: 50, mints_per_hour: 1000}}
  - {name: auditor, authenticate: [{token_sha256: "AUDITOR"}], grants: [{permissions: ["*.read"]}]}
  - {name: team, authenticate: [{token_sha256: "TEAM"}], grants: [{permissions: [projects.*, projects.service_accounts.*], projects: [PROJECT]}]}
  - {name: slow, authenticate: [{token_sha256: "SLOW"}], grants: [{permissions: ["*.read"]}], limits: {requests_per_second: 1, burst: 1}}
  - {name: passing, authenticate: [{token_sha256: "PASSING", expires: 2099-01-01T00:00:00Z}], grants: [{permissions: ["*.read"]}]}
  - {name: late, authenticate: [{token_sha256: "LATE", expires: 2020-01-01T00:00:00Z}], grants: [{permissions: ["*.read"]}]}
  - {name: workload, authenticate: [{uri_san: "urn:example:workload"}], grants: [{permissions: ["*.read"]}]}
`

const config = `listen: LISTEN
ops_listen: 127.0.0.1:0
tls: {cert_file: FOLDER/server.pem, key_file: FOLDER/server-key.pem, client_ca_file: FOLDER/ca.pem}
upstream:
  base_url: UPSTREAM/v1
  admin_key: {file: FOLDER/admin-key}
  # The sandbox has no budget. The keys of projects come slowly, so that there is a middle
  # of an inventory.
  budget:
    organization: {calls_per_minute: 100000, burst: 10000}
    default: {calls_per_minute: 100000, burst: 10000}
    buckets: [{name: list_project_api_keys, calls_per_minute: 900, burst: 1}]
audit: {path: FOLDER/audit.jsonl}
leases: {path: FOLDER/leases.db}
policy: FOLDER/policy.yaml
shutdown: {delay: 0s, timeout: 10s}
`

// openHouse starts everything. Its files are in folder.
func openHouse(ctx context.Context, binary, folder string) (_ *house, err error) {
	h := &house{folder: folder, tokens: make(map[string]string), sandbox: sandbox.New(sandbox.Options{Seed: 3, Projects: 40})}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.close())
		}
	}()
	var upstream string
	if h.upstream, upstream, err = processtest.Serve(ctx, h.sandbox); err != nil {
		return nil, err
	}
	if err := h.certificates(); err != nil {
		return nil, err
	}
	if h.script, err = newScripted(ctx, h.file("server.pem"), h.file("server-key.pem")); err != nil {
		return nil, err
	}
	if h.address, err = freeAddress(ctx); err != nil {
		return nil, err
	}
	text, err := h.policy(ctx, binary)
	if err != nil {
		return nil, err
	}
	settings := strings.NewReplacer("LISTEN", h.address, "FOLDER", folder, "UPSTREAM", upstream).Replace(config)
	for name, text := range map[string]string{
		"gateway.yaml": settings, "policy.yaml": text, "admin-key": sandbox.DefaultAdminKey, "audit.jsonl": "", "token": "",
	} {
		if err := os.WriteFile(h.file(name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	h.records = &records{file: h.file("audit.jsonl")}
	h.gateway = &processtest.Gateway{Binary: binary, Config: h.file("gateway.yaml")}
	if err := h.gateway.Start(ctx); err != nil {
		log, _ := os.ReadFile(h.file("gateway.log"))
		return nil, fmt.Errorf("%w:\n%s", err, log)
	}
	return h, nil
}

func (h *house) certificates() error {
	ours, err := newAuthority("house", h.file("ca.pem"))
	if err != nil {
		return err
	}
	if _, err := newAuthority("other", h.file("other.pem")); err != nil {
		return err
	}
	return errors.Join(ours.issue(h.folder, "server", ""), ours.issue(h.folder, "client", "urn:example:workload"))
}

// policy draws a token for each caller.
func (h *house) policy(ctx context.Context, binary string) (string, error) {
	keys, err := h.sandbox.ProjectKeys("")
	if err != nil {
		return "", err
	}
	h.project = keys[0].ProjectID
	values := []string{"PROJECT", h.project}
	for _, caller := range []string{"operator", "auditor", "team", "slow", "passing", "late"} {
		token, line, err := processtest.NewToken(ctx, binary)
		if err != nil {
			return "", err
		}
		h.tokens[caller] = token
		_, hash, _ := strings.Cut(strings.Trim(line, "{}"), ": ")
		values = append(values, strings.ToUpper(caller), strings.Trim(hash, `" `))
	}
	return strings.NewReplacer(values...).Replace(policy), nil
}

// end writes the policy once more, with an end of the caller "passing".
func (h *house) end() error {
	text, err := os.ReadFile(h.file("policy.yaml"))
	if err != nil {
		return err
	}
	return os.WriteFile(h.file("policy.yaml"), bytes.Replace(text, []byte(ends), []byte("2020-01-01T00:00:00Z"), 1), 0o600) //nolint:gosec // A file of its own folder.
}

// ends is when the token of "passing" ends at first.
const ends = "2099-01-01T00:00:00Z"

func (h *house) file(name string) string { return filepath.Join(h.folder, name) }

// dialled turns names into values.
func (h *house) dialled(c *Case) (dialled, error) {
	d := dialled{Deadline: c.Client.Deadline, Attempts: c.Client.Attempts, UserAgent: c.Client.UserAgent, Address: c.Client.Address}
	switch {
	case d.Address != "":
	case c.At == "gateway":
		d.Address = "https://" + h.address
	case c.At == "script":
		d.Address = "https://" + h.script.address
	case c.At == "nobody":
		d.Address = "https://127.0.0.1:1" // Nothing listens there.
	default:
		return d, fmt.Errorf("no server %q", c.At)
	}
	switch c.Client.CA {
	case "", "house":
		d.CA = h.file("ca.pem")
	case "other":
		d.CA = h.file("other.pem")
	case "none":
	default:
		return d, fmt.Errorf("no authority %q", c.Client.CA)
	}
	if c.Client.Certificate {
		d.Cert, d.Key = h.file("client.pem"), h.file("client-key.pem")
	}
	var err error
	switch {
	case c.Client.TokenFile != "":
		d.TokenFile = h.file("token")
		err = h.writeToken(c.Client.TokenFile)
	case len(c.Client.TokenProvider) > 0:
		for _, caller := range c.Client.TokenProvider {
			token, unknown := h.token(caller)
			d.TokenProvider, err = append(d.TokenProvider, token), errors.Join(err, unknown)
		}
	case c.Client.Token != "none" && !c.Client.Certificate:
		caller := c.Client.Token
		if caller == "" {
			caller = "operator"
		}
		d.Token, err = h.token(caller)
	}
	return d, err
}

func (h *house) token(caller string) (string, error) {
	if token, ok := h.tokens[caller]; ok {
		return token, nil
	}
	return "", fmt.Errorf("no caller %q with a token", caller)
}

// writeToken replaces the file as those do who exchange secrets: by a rename.
func (h *house) writeToken(caller string) error {
	token, err := h.token(caller)
	if err != nil {
		return err
	}
	if err := os.WriteFile(h.file("token.new"), []byte(token+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(h.file("token.new"), h.file("token"))
}

// freeAddress is one that nothing listens at.
func freeAddress(ctx context.Context) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// close ends everything. It may be called on a house that is not whole.
func (h *house) close() error {
	var err error
	if h.gateway != nil {
		err = h.gateway.Stop()
	}
	if h.script != nil {
		h.script.close()
	}
	if h.upstream != nil {
		err = errors.Join(err, h.upstream.Close())
	}
	return err
}
