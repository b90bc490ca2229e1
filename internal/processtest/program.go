package processtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// BuildGateway builds the gateway of the tree at root, and writes it to the path binary.
func BuildGateway(ctx context.Context, root, binary string) error {
	build := exec.CommandContext(ctx, "go", "build", "-C", root, "-o", binary, "./cmd/gateway") //nolint:gosec // what the test says
	build.Stderr = os.Stderr
	return build.Run()
}

// FindRedis is the path of a redis-server; empty where there is none.
func FindRedis() string {
	for _, name := range []string{"redis-server", "valkey-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// NewToken asks the gateway for a caller's token, and its line in the policy.
func NewToken(ctx context.Context, binary string) (token, policy string, err error) {
	out, err := exec.CommandContext(ctx, binary, "token", "new").Output()
	if err != nil {
		return "", "", err
	}
	for line := range strings.Lines(string(out)) {
		if value, ok := strings.CutPrefix(line, "token: "); ok {
			token = strings.TrimSpace(value)
		}
		if value, ok := strings.CutPrefix(line, "policy: "); ok {
			policy = strings.TrimSpace(value)
		}
	}
	if token == "" || policy == "" {
		return "", "", fmt.Errorf("token new prints %q", out)
	}
	return token, policy, nil
}
