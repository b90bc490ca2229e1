//go:build unix

package leases

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/processtest"
	"github.com/admin-gateway/admin-gateway/sandbox"
)

// Ledger is where the leases of a house are.
type Ledger string

// The ledgers.
const (
	// File is for one gateway, which is started again when it was killed.
	File Ledger = "file"
	// Redis is for two: the tenants go to the other one when one was killed.
	Redis Ledger = "redis"
)

// The lives of the roles.
const (
	grace      = 2 * time.Second
	longestTTL = time.Hour
	// staticLife is how long a static key lives if nobody replaces it, and staticOverlap
	// how long it does when somebody has.
	staticLife    = 70 * time.Second
	staticOverlap = time.Second
)

// Role is a role of the policy.
type Role struct {
	Name string
	// TTL is the life of what is made ahead, which nobody has asked for.
	TTL, MaxTTL time.Duration
	// Pooled tells that leases take seats in keys that others have, or had.
	Pooled, Static bool
	rest           string
}

// roles has all kinds.
func roles() []Role {
	return []Role{
		{Name: "own", TTL: 3 * time.Second, MaxTTL: longestTTL, rest: "service_account: own"},
		{Name: "account", TTL: 3 * time.Second, MaxTTL: longestTTL, rest: "kind: account"},
		{Name: "shared", TTL: 4 * time.Second, MaxTTL: 12 * time.Second, Pooled: true, rest: "service_account: shared, share: 4"},
		{Name: "spare", TTL: 8 * time.Second, MaxTTL: 20 * time.Second, Pooled: true, rest: "service_account: spare, spares: 2"},
		{Name: "static", TTL: staticLife, MaxTTL: staticLife, Static: true, rest: fmt.Sprintf("service_account: static, static: {rotation_period: 1m, overlap: %s}", staticOverlap)},
	}
}

// tenantName is the caller that all tenants are.
const tenantName = "tenant"

// HouseOptions are the settings of a [House].
type HouseOptions struct {
	Programs Programs
	// Folder is for configs, logs and data. It is empty, and its path short.
	Folder  string
	Ledger  Ledger
	Sandbox sandbox.Options
}

// Programs are the paths of what a [House] runs.
type Programs struct{ Gateway, Redis string }

// House is the gateways on one ledger, in front of one upstream.
type House struct {
	Upstream *Upstream
	Gateways []*processtest.Gateway

	o     HouseOptions
	trap  *trap
	redis *processtest.Redis
	token string
}

// NewHouse starts all of it. Close it, also after an error.
func NewHouse(ctx context.Context, o HouseOptions) (h *House, err error) {
	h = &House{o: o, trap: new(trap)}
	if h.Upstream, err = NewUpstream(ctx, h.trap, o.Sandbox); err != nil {
		return h, err
	}
	gateways := 1
	if o.Ledger == Redis {
		gateways = 2
		// Every change is in the log of Redis as it is, so that a secret would be seen
		// that was there for a moment.
		h.redis = &processtest.Redis{
			Program: o.Programs.Redis, Folder: o.Folder,
			Args: []string{"--appendonly", "yes", "--appendfsync", "everysec", "--aof-use-rdb-preamble", "no", "--rdbcompression", "no", "--maxmemory-policy", "noeviction"},
		}
		if err := h.redis.Start(ctx); err != nil {
			return h, err
		}
	}
	token, hash, err := processtest.NewToken(ctx, o.Programs.Gateway)
	if err != nil {
		return h, err
	}
	h.token = token
	if err := h.write("policy.yaml", h.policy(hash)); err != nil {
		return h, err
	}
	var key [32]byte
	_, _ = rand.Read(key[:]) // It never fails.
	if err := errors.Join(h.write("admin.key", AdminKey), h.write("cache.key", base64.StdEncoding.EncodeToString(key[:]))); err != nil {
		return h, err
	}
	for i := range gateways {
		if err := h.addGateway(ctx, i); err != nil {
			return h, err
		}
	}
	return h, nil
}

func (h *House) policy(hash string) string {
	var text strings.Builder
	text.WriteString("roles:\n")
	for _, role := range roles() {
		_, _ = fmt.Fprintf(&text, "  - {name: %s, project: %s, scopes: [api.model.request], ttl: %s, max_ttl: %s, grace: %s, max_live: 10000, %s}\n",
			role.Name, h.Upstream.Project, role.TTL, role.MaxTTL, grace, role.rest)
	}
	_, _ = fmt.Fprintf(&text, `callers:
  - name: %s
    authenticate: [%s]
    grants: [{permissions: ["*"], roles: ["*"]}]
    limits: {requests_per_second: 1000000, burst: 1000000, concurrent: 100000}
    leases: {max_live: 100000, mints_per_hour: 100000}
`, tenantName, hash)
	return text.String()
}

func (h *House) write(name, text string) error {
	return os.WriteFile(filepath.Join(h.o.Folder, name), []byte(text), 0o600)
}

// ledgerFile is the ledger in a file.
func (h *House) ledgerFile() string { return filepath.Join(h.o.Folder, "leases.db") }

func (h *House) addGateway(ctx context.Context, number int) error {
	url, err := h.Upstream.Door(ctx)
	if err != nil {
		return err
	}
	folder := filepath.Join(h.o.Folder, fmt.Sprintf("gateway-%d", number))
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	ledger := fmt.Sprintf("leases: {path: %s, sweep_interval: 1m}", h.ledgerFile())
	if h.redis != nil {
		ledger = fmt.Sprintf(`cache: {redis_url: "unix://%s", encryption_keys: [{file: %s/cache.key}]}
leases: {organization: kills, sweep_interval: 1m}`, h.redis.Socket(), h.o.Folder)
	}
	g := &processtest.Gateway{Number: number, Binary: h.o.Programs.Gateway, Config: filepath.Join(folder, "gateway.yaml")}
	h.Gateways = append(h.Gateways, g)
	config := fmt.Sprintf(`listen: 127.0.0.1:0
ops_listen: 127.0.0.1:0
policy: %[1]s/policy.yaml
audit: {path: %[2]s/audit.jsonl, required: true}
%[3]s
upstream:
  base_url: %[4]s
  admin_key: {file: %[1]s/admin.key}
  budget: {organization: {calls_per_minute: 1e6, burst: 100000}, default: {calls_per_minute: 1e6, burst: 100000}}
`, h.o.Folder, folder, ledger, url)
	if err := os.WriteFile(g.Config, []byte(config), 0o600); err != nil {
		return err
	}
	return g.Start(ctx)
}

// Kill ends all gateways at once.
func (h *House) Kill() error {
	var errs []error
	for _, g := range h.Gateways {
		errs = append(errs, g.Kill())
	}
	return errors.Join(errs...)
}

// Close ends all processes.
func (h *House) Close() error {
	err := h.Kill()
	if h.redis != nil {
		err = errors.Join(err, h.redis.Kill())
	}
	if h.Upstream != nil {
		err = errors.Join(err, h.Upstream.Close())
	}
	return err
}

// ForgetLedger deletes the ledger. No gateway runs.
func (h *House) ForgetLedger(ctx context.Context) error {
	if h.redis != nil {
		return h.redis.Flush(ctx)
	}
	return errors.Join(os.Remove(h.ledgerFile()), os.Remove(h.ledgerFile()+".key"))
}

// tool runs a command of the gateway on the ledger. No gateway runs.
func (h *House) tool(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*processtest.Patience)
	defer cancel()
	args = append(args, "--config", h.Gateways[0].Config)
	cmd := exec.CommandContext(ctx, h.o.Programs.Gateway, args...) //nolint:gosec // what the test built
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s%s", strings.Join(args, " "), err, out, complaints.String())
	}
	return string(out), err
}
