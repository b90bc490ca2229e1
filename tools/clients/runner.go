package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// command is a line to the runner: what a step says, with values in place of names.
type command struct {
	Case   string  `json:"case"`
	Client dialled `json:"client"`

	Do               string            `json:"do"`
	Method           string            `json:"method,omitempty"`
	Request          map[string]any    `json:"request,omitempty"`
	Timeout          float64           `json:"timeout,omitempty"`
	IdempotencyKey   string            `json:"idempotency_key,omitempty"`
	NoIdempotencyKey bool              `json:"no_idempotency_key,omitempty"`
	Headers          map[string]string `json:"headers,omitempty"`
	Cancel           bool              `json:"cancel,omitempty"`
}

// dialled has the arguments of a package's constructor.
type dialled struct {
	Address       string   `json:"address"`
	CA            string   `json:"ca,omitempty"`
	Token         string   `json:"token,omitempty"`
	TokenFile     string   `json:"token_file,omitempty"`
	TokenProvider []string `json:"token_provider,omitempty"`
	Cert          string   `json:"cert,omitempty"`
	Key           string   `json:"key,omitempty"`
	Deadline      float64  `json:"deadline,omitempty"`
	Attempts      int      `json:"attempts,omitempty"`
	UserAgent     string   `json:"user_agent,omitempty"`
}

// result is the runner's line.
type result struct {
	Case      string         `json:"case"`
	OK        bool           `json:"ok"`
	Response  map[string]any `json:"response"`
	Items     int            `json:"items"`
	IDs       []string       `json:"ids"`
	Pages     int            `json:"pages"`
	Progress  int            `json:"progress"`
	Failures  int            `json:"failures"`
	Provider  int            `json:"provider_calls"`
	Freshness *freshness     `json:"freshness"`
	Error     *callError     `json:"error"`
}

type freshness struct {
	Age *float64 `json:"age"`
	Hit bool     `json:"hit"`
}

type callError struct {
	Kind       string   `json:"kind"`
	Code       string   `json:"code"`
	Reason     string   `json:"reason"`
	Message    string   `json:"message"`
	Permission string   `json:"permission"`
	Project    string   `json:"project"`
	Fields     []string `json:"fields"`
	RetryDelay *float64 `json:"retry_delay"`
	RequestID  string   `json:"request_id"`
	Missing    int      `json:"missing"`
}

// longestLine bounds a line of the runner.
const longestLine = 64 << 20

// runner is the program with the client, in a process group of its own.
type runner struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	lines   chan []byte // closed with its standard output
	verbose bool
}

func startRunner(ctx context.Context, program string, verbose bool) (*runner, error) {
	cmd := exec.CommandContext(ctx, program)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r := &runner{cmd: cmd, in: in, lines: make(chan []byte), verbose: verbose}
	go func() { // Ends with the runner's output, or with ctx, which kills it.
		defer close(r.lines)
		scanner := bufio.NewScanner(out)
		scanner.Buffer(make([]byte, 64<<10), longestLine)
		for scanner.Scan() {
			select {
			case r.lines <- append([]byte(nil), scanner.Bytes()...):
			case <-ctx.Done():
				return
			}
		}
	}()
	return r, nil
}

func (r *runner) send(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if r.verbose {
		_, _ = fmt.Fprintf(os.Stdout, "> %.2000s\n", line)
	}
	_, err = r.in.Write(append(line, '\n'))
	return err
}

// patience bounds each wait for something that happens soon.
const patience = 60 * time.Second

// answer waits for the result of a case.
func (r *runner) answer(ctx context.Context, name string) (*result, error) {
	select {
	case line, open := <-r.lines:
		if !open {
			return nil, errors.New("the runner has ended")
		}
		if r.verbose {
			_, _ = fmt.Fprintf(os.Stdout, "< %.2000s\n", line)
		}
		got := new(result)
		if err := json.Unmarshal(line, got); err != nil {
			return nil, fmt.Errorf("the runner says %.200q: %w", line, err)
		}
		if got.Case != name {
			return nil, fmt.Errorf("the runner answers %q", got.Case)
		}
		return got, nil
	case <-time.After(2 * patience):
		return nil, errors.New("the runner does not answer")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// stop closes the runner's input, at which it ends.
func (r *runner) stop() error {
	_ = r.in.Close()
	late := time.AfterFunc(patience, func() { _ = r.cmd.Cancel() })
	defer late.Stop()
	for range r.lines { // What it still says is of no case.
	}
	if err := r.cmd.Wait(); err != nil {
		return fmt.Errorf("the runner ended with %w", err)
	}
	return nil
}
