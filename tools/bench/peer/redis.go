package peer

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"

	"github.com/admin-gateway/admin-gateway/tools/bench/machine"
)

// redisServing is what a Redis logs when it serves.
var redisServing = regexp.MustCompile(`Ready to accept connections`)

// StartRedis starts a Redis that keeps nothing on the disk, and returns its address.
func StartRedis(ctx context.Context, folder string) (*machine.Process, string, error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, "", fmt.Errorf("redis-server: %w", err)
	}
	ports, err := freePorts(ctx, 1)
	if err != nil {
		return nil, "", err
	}
	process, err := machine.Start(ctx, machine.Command{
		Path: program, Output: filepath.Join(folder, "redis.out"), Ready: redisServing,
		Args: []string{"--bind", "127.0.0.1", "--port", portOf(ports[0]), "--save", "", "--appendonly", "no", "--dir", folder},
	})
	if err != nil {
		return nil, "", err
	}
	return process, ports[0], nil
}
