//go:build unix

package processtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Process is a child process in a process group of its own. Nothing outlives
// [Process.Kill], nor this process where the kernel can see to it.
type Process struct {
	name  string
	group int
	ended chan struct{} // closed when it has ended
	lines chan string   // of its standard error, until a line was found
}

// Start starts a process whose standard error goes to the file log too.
func Start(name, log string, binary string, args ...string) (*Process, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(binary, args...) //nolint:noctx,gosec // what the caller built; Kill ends it
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	endWithUs(cmd.SysProcAttr)
	read, write, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	cmd.Stdout, cmd.Stderr = file, write
	err = cmd.Start()
	_ = write.Close() // It is the child's.
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), read.Close(), file.Close())
	}
	p := &Process{name: name, group: cmd.Process.Pid, ended: make(chan struct{}), lines: make(chan string, 16)}
	go p.follow(cmd, read, file)
	return p, nil
}

// follow copies the log until the process has ended. Lines that nobody waits for
// are in the file alone.
func (p *Process) follow(cmd *exec.Cmd, log io.ReadCloser, file io.WriteCloser) {
	lines := bufio.NewReader(log)
	for {
		line, err := lines.ReadString('\n')
		_, _ = io.WriteString(file, line) // The file is for a reader of a failure.
		select {
		case p.lines <- line:
		default:
		}
		if err != nil {
			break
		}
	}
	_ = cmd.Wait() // How it ended is in the log.
	_, _ = log.Close(), file.Close()
	close(p.ended)
}

// Line waits for a line of the log that contains text. Call it soon after Start.
func (p *Process) Line(ctx context.Context, text string) (string, error) {
	limit := time.After(Patience)
	for {
		select {
		case line := <-p.lines:
			if strings.Contains(line, text) {
				return line, nil
			}
		case <-p.ended:
			return "", fmt.Errorf("%s ended before it said %q", p.name, text)
		case <-limit:
			return "", fmt.Errorf("%s does not say %q", p.name, text)
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// Signal sends a signal to the process, if it has not ended.
func (p *Process) Signal(s syscall.Signal) error {
	select {
	case <-p.ended:
		return nil
	default:
		return syscall.Kill(-p.group, s)
	}
}

// Kill ends the process at once, and waits for its end.
func (p *Process) Kill() error {
	if err := p.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return p.Wait(Patience)
}

// Wait waits for the end of the process.
func (p *Process) Wait(limit time.Duration) error {
	select {
	case <-p.ended:
		return nil
	case <-time.After(limit):
		return fmt.Errorf("%s did not end within %s", p.name, limit)
	}
}
