package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// target is a gateway and who calls it.
type target struct {
	// Listen and GRPCListen are the doors.
	Listen, GRPCListen string
	// Token is that of the caller.
	Token string
	// Project is the one that the hostile caller may change.
	Project string
}

// setup is a sandbox and a gateway in front of it.
type setup struct {
	// target is that of the third caller, and hostile the token of the other one.
	target  target
	hostile string

	folder    string
	processes []*exec.Cmd
}

var (
	errEnded  = errors.New("the process ended")
	errSilent = errors.New("the process did not start in time")
)

// start starts both. The gateway has the default configuration, with both doors open.
func start(ctx context.Context, binary string) (s *setup, err error) {
	folder, err := os.MkdirTemp("", "neighbours")
	if err != nil {
		return nil, err
	}
	s = &setup{folder: folder}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	upstream, err := s.spawn(ctx, regexp.MustCompile(`is on (http://127\.0\.0\.1:\d+/v1),`), binary, "sandbox", "--listen", "127.0.0.1:0")
	if err != nil {
		return s, fmt.Errorf("the sandbox: %w", err)
	}
	token, hash, err := newToken(ctx, binary)
	if err != nil {
		return s, err
	}
	hostile, hostileHash, err := newToken(ctx, binary)
	if err != nil {
		return s, err
	}
	s.hostile = hostile
	for name, content := range map[string]string{
		"key": "sk-admin-sandbox\n",
		"policy.yaml": `
callers:
  - name: third
    authenticate: [` + hash + `]
    grants: [{permissions: ["*.read"]}]
  - name: hostile
    authenticate: [` + hostileHash + `]
    grants: [{permissions: ["*"], projects: [proj_hostile]}, {permissions: ["*.read"]}]
`,
		"gateway.yaml": `
listen: 127.0.0.1:0
grpc_listen: 127.0.0.1:0
ops_listen: 127.0.0.1:0
policy: ` + filepath.Join(folder, "policy.yaml") + `
audit: {path: ` + filepath.Join(folder, "audit.jsonl") + `}
upstream: {base_url: "` + upstream[1] + `", admin_key: {file: ` + filepath.Join(folder, "key") + `}}
shutdown: {delay: 0s}
`,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			return s, err
		}
	}
	doors, err := s.spawn(ctx, regexp.MustCompile(`"listen":"(127[^"]*)".*"grpc_listen":"(127[^"]*)"`), binary, "serve", "--config", filepath.Join(folder, "gateway.yaml"))
	if err != nil {
		return s, fmt.Errorf("the gateway: %w", err)
	}
	s.target = target{Listen: doors[1], GRPCListen: doors[2], Token: token, Project: "proj_hostile"}
	return s, nil
}

// spawn starts a process, and returns what pattern finds in its output.
func (s *setup) spawn(ctx context.Context, pattern *regexp.Regexp, name string, args ...string) ([]string, error) {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // It is the gateway that the flag names.
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = writer, writer
	err = cmd.Start()
	_ = writer.Close()
	if err != nil {
		_ = reader.Close()
		return nil, err
	}
	s.processes = append(s.processes, cmd)
	found := make(chan []string, 1)
	go func() {
		defer func() { _ = reader.Close() }()
		defer close(found)
		lines, waiting := bufio.NewReader(reader), true
		for {
			line, err := lines.ReadString('\n')
			if match := pattern.FindStringSubmatch(line); waiting && match != nil {
				found <- match
				waiting = false
			}
			if err != nil {
				return // The process has ended. Until then its output is read.
			}
		}
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case match, ok := <-found:
		if !ok {
			return nil, errEnded
		}
		return match, nil
	case <-timer.C:
		return nil, errSilent
	}
}

// newToken makes a caller's token, and what the policy says of it.
func newToken(ctx context.Context, binary string) (token, hash string, err error) {
	text, err := exec.CommandContext(ctx, binary, "token", "new").Output()
	if err != nil {
		return "", "", fmt.Errorf("a token: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "token: "); ok {
			token = strings.TrimSpace(rest)
		}
		if rest, ok := strings.CutPrefix(line, "policy: "); ok {
			hash = strings.TrimSpace(rest)
		}
	}
	if token == "" || hash == "" {
		return "", "", errors.New("the gateway printed no token")
	}
	return token, hash, nil
}

// stop ends all processes, and removes what they wrote.
func (s *setup) stop() {
	var all sync.WaitGroup
	for _, cmd := range s.processes {
		all.Go(func() {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			kill := time.AfterFunc(settle, func() { _ = cmd.Process.Kill() })
			defer kill.Stop()
			_ = cmd.Wait() // Its exit code says nothing about the measurement.
		})
	}
	all.Wait()
	_ = os.RemoveAll(s.folder)
}

// processor is the processor time that the gateway has had.
func (s *setup) processor() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.processes[len(s.processes)-1].Process.Pid))
	if err != nil {
		return 0
	}
	// Behind the name in parentheses: the 12th and 13th fields, in hundredths of a second.
	var user, system int64
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	_, _ = fmt.Sscan(fields[11], &user)
	_, _ = fmt.Sscan(fields[12], &system)
	return time.Duration(user+system) * 10 * time.Millisecond
}
