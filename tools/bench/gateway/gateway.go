// Package gateway starts the gateway, and the fake Admin API that comes with it, as a user
// does: the binary, a config and a policy. It imports nothing of the project but the
// package that starts processes.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/admin-gateway/admin-gateway/tools/bench/machine"
)

// AdminKey is the credential of the fake Admin API.
const AdminKey = "sk-admin-sandbox"

// Token is a caller's credential.
type Token struct {
	// Value is the caller's, and Hash its SHA-256 in hex.
	Value, Hash string
}

var tokenLines = regexp.MustCompile(`(?s)token: (\S+).*token_sha256: ([0-9a-f]{64})`)

// NewToken has the binary make a token.
func NewToken(ctx context.Context, binary string) (Token, error) {
	output, err := exec.CommandContext(ctx, binary, "token", "new").CombinedOutput()
	if err != nil {
		return Token{}, fmt.Errorf("gateway token new: %w: %s", err, output)
	}
	match := tokenLines.FindStringSubmatch(string(output))
	if match == nil {
		return Token{}, errors.New("gateway token new printed no token")
	}
	return Token{Value: match[1], Hash: match[2]}, nil
}

// Options say how a gateway is started.
type Options struct {
	// Binary is the gateway, and Folder where its files go.
	Binary, Folder string
	// BaseURL is that of the upstream.
	BaseURL string
	// Token is that of the caller whose calls are measured.
	Token Token
	// Callers are the hashes of further callers in the policy.
	Callers []string
	// Memory is the cache's, such as "64MiB". Empty: the default.
	Memory string
	// RedisURL is that of the shared cache. Empty: none.
	RedisURL string
	// Processes is GOMAXPROCS. Zero: as the processors allow.
	Processes int
	// On has its processors.
	On string
}

// Gateway is one that serves.
type Gateway struct {
	*machine.Process
	// Port is the address of the one port, Fast that of the fast gRPC door, and Ops that
	// of the operators' port.
	Port, Fast, Ops string
	// Policy is the path of its policy.
	Policy string
}

var serving = regexp.MustCompile(`"listen":"(127[^"]*)".*"grpc_listen":"(127[^"]*)".*"ops_listen":"(127[^"]*)"`)

// Start starts a gateway. Its limits are so high that nothing waits for them.
func Start(ctx context.Context, o Options) (*Gateway, error) {
	policy := filepath.Join(o.Folder, "policy.yaml")
	if err := WritePolicy(policy, o.Token, o.Callers); err != nil {
		return nil, err
	}
	key := filepath.Join(o.Folder, "key")
	if err := os.WriteFile(key, []byte(AdminKey+"\n"), 0o600); err != nil {
		return nil, err
	}
	// It is one that has been there for a while: a file of this moment may still change
	// without showing it, so that it is read for each call.
	since := time.Now().Add(-time.Hour)
	if err := os.Chtimes(key, since, since); err != nil {
		return nil, err
	}
	var cache strings.Builder
	if o.Memory != "" {
		cache.WriteString("memory: " + o.Memory + ", ")
	}
	if o.RedisURL != "" {
		fmt.Fprintf(&cache, "redis_url: %q, ", o.RedisURL)
	}
	config := fmt.Sprintf(`listen: 127.0.0.1:0
grpc_listen: 127.0.0.1:0
ops_listen: 127.0.0.1:0
policy: %s
audit: {path: %s}
cache: {%s jitter: 0}
limits: {connections: 16384}
upstream:
  base_url: %q
  admin_key: {file: %s}
  budget:
    organization: {calls_per_minute: 1000000, burst: 10000}
    default: {calls_per_minute: 1000000, burst: 10000}
shutdown: {delay: 0s}
`, policy, filepath.Join(o.Folder, "audit.jsonl"), cache.String(), o.BaseURL, key)
	file := filepath.Join(o.Folder, "gateway.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	var env []string
	if o.Processes > 0 {
		env = append(env, fmt.Sprintf("GOMAXPROCS=%d", o.Processes))
	}
	process, err := machine.Start(ctx, machine.Command{
		Path: o.Binary, Args: []string{"serve", "--config", file}, Env: env, On: o.On,
		Output: filepath.Join(o.Folder, "gateway.log"), Ready: serving, Patience: time.Minute,
	})
	if err != nil {
		return nil, err
	}
	return &Gateway{Process: process, Port: process.Match[1], Fast: process.Match[2], Ops: process.Match[3], Policy: policy}, nil
}

// WritePolicy writes a policy with the caller whose calls are measured, and with others
// that have the hashes given. It replaces the file, so that no half of it is read.
func WritePolicy(path string, token Token, others []string) error {
	var text strings.Builder
	text.WriteString("callers:\n")
	caller := func(name, hash string) {
		fmt.Fprintf(&text, "  - name: %s\n    authenticate: [{token_sha256: %s}]\n    grants: [{permissions: [\"*.read\"]}]\n", name, hash)
	}
	caller("load", token.Hash)
	text.WriteString("    limits: {requests_per_second: 1000000, burst: 1000000, concurrent: 10000}\n")
	for i, hash := range others {
		caller(fmt.Sprintf("caller-%06d", i), hash)
	}
	if err := os.WriteFile(path+".new", []byte(text.String()), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

var sandboxServing = regexp.MustCompile(`is on (http://127\.0\.0\.1:\d+/v1),`)

// Sandbox is a fake Admin API that serves.
type Sandbox struct {
	*machine.Process
	// BaseURL ends with the version.
	BaseURL string
}

// StartSandbox starts one with so many projects.
func StartSandbox(ctx context.Context, binary, folder string, projects int) (*Sandbox, error) {
	process, err := machine.Start(ctx, machine.Command{
		Path: binary, Args: []string{"sandbox", "--listen", "127.0.0.1:0", "--projects", fmt.Sprint(projects)},
		Output: filepath.Join(folder, "sandbox.log"), Ready: sandboxServing,
	})
	if err != nil {
		return nil, err
	}
	return &Sandbox{Process: process, BaseURL: process.Match[1]}, nil
}
