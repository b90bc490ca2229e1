package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

const (
	// defaultPatience is how long a process may take to say that it serves.
	defaultPatience = 20 * time.Second
	// settle is how long a process may take to end before it is killed.
	settle = 3 * time.Second
	// lastOutput is how many bytes of the output of a process that failed go into the
	// error.
	lastOutput = 1000
)

// ErrEnded is the error of a process that ended before it served, or that did not serve
// in time.
var ErrEnded = errors.New("the process does not serve")

// Command says what to start.
type Command struct {
	// Path is the program, and Args its arguments.
	Path string
	Args []string
	// Env is added to the environment.
	Env []string
	// On has the processors, as taskset lists them. Empty: those of this process.
	On string
	// Output is the file for what the program writes. A file and not a pipe: the
	// reader of a pipe would take time from the load.
	Output string
	// Ready finds, in a line of the output, that the process serves. Nil: it is not
	// waited for.
	Ready *regexp.Regexp
	// Patience is the longest wait for Ready, 20 s if it is zero.
	Patience time.Duration
}

// Process is a process that was started, with all that descends from it.
type Process struct {
	// Match is what Ready found.
	Match []string
	// Took is the time from the start of the process until Ready found it, to a
	// millisecond.
	Took time.Duration

	cmd   *exec.Cmd
	ended chan struct{}
}

// Start starts a process, and waits until it serves. It gets a process group of its own,
// which Stop ends. The kernel kills the process if this one dies before.
func Start(ctx context.Context, c Command) (*Process, error) {
	output, err := os.Create(c.Output)
	if err != nil {
		return nil, err
	}
	defer func() { _ = output.Close() }() // The process has it.
	path, args := c.Path, c.Args
	if c.On != "" {
		path, args = "taskset", append([]string{"-c", c.On, c.Path}, c.Args...)
	}
	cmd := exec.Command(path, args...) //nolint:gosec,noctx // The programs are those that the benchmark names, and Stop ends the whole group.
	cmd.Env = append(os.Environ(), c.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Stdout, cmd.Stderr = output, output
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		_ = cmd.Wait() // Its status says nothing about the measurement.
	}()
	if c.Ready == nil {
		return p, nil
	}
	patience := c.Patience
	if patience == 0 {
		patience = defaultPatience
	}
	p.Match, err = p.await(ctx, c, patience)
	p.Took = time.Since(begin)
	if err != nil {
		p.Stop()
		return nil, fmt.Errorf("%s: %w", filepath.Base(c.Path), err)
	}
	return p, nil
}

// await reads the output until Ready finds something in it.
func (p *Process) await(ctx context.Context, c Command, patience time.Duration) ([]string, error) {
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		var ended bool
		select {
		case <-poll.C:
		case <-p.ended:
			ended = true
		case <-timer.C:
			return nil, fmt.Errorf("%w in time", ErrEnded)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		text, err := os.ReadFile(c.Output)
		if err != nil {
			return nil, err
		}
		if match := c.Ready.FindStringSubmatch(string(text)); match != nil {
			return match, nil
		}
		if ended {
			return nil, fmt.Errorf("%w: %s", ErrEnded, text[max(0, len(text)-lastOutput):])
		}
	}
}

// Stop ends the process and all that descends from it. It may be called repeatedly.
func (p *Process) Stop() {
	group := -p.cmd.Process.Pid
	select {
	case <-p.ended:
	default:
		_ = syscall.Kill(group, syscall.SIGTERM)
		timer := time.NewTimer(settle)
		defer timer.Stop()
		select {
		case <-p.ended:
		case <-timer.C:
		}
	}
	_ = syscall.Kill(group, syscall.SIGKILL) // What is left of it.
	<-p.ended
}

// Signal sends a signal to the process, and not to what descends from it.
func (p *Process) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// Spent is the processor time that the process has had so far, with all that descends
// from it. Its resolution is 10 ms.
func (p *Process) Spent() (time.Duration, error) {
	members, err := family(p.cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, id := range members {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", id))
		if err != nil {
			if id == p.cmd.Process.Pid {
				return 0, err
			}
			continue // A child has ended since.
		}
		s, err := parseStat(line)
		if err != nil {
			return 0, err
		}
		sum += s.spent
	}
	return sum, nil
}

// RSS is the resident memory of the process in bytes, with all that descends from it.
func (p *Process) RSS() (int64, error) {
	members, err := family(p.cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, id := range members {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", id))
		if err != nil {
			continue
		}
		bytes, err := parseRSS(status)
		if err != nil {
			continue // A process that has ended and is not waited for has none.
		}
		sum += bytes
	}
	if sum == 0 {
		return 0, fmt.Errorf("process %d has no memory", p.cmd.Process.Pid)
	}
	return sum, nil
}
