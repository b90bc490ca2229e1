package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// mostLines bounds what is kept of a process's output, for its error.
const mostLines = 20

// process is a server in a process of its own.
type process struct {
	command *exec.Cmd
	ended   chan struct{} // closed when the output has ended

	mu   sync.Mutex
	last []string
}

// start starts a server and returns the first word that found gives for a line of its
// output.
func start(ctx context.Context, found func(line string) (string, bool), name string, args ...string) (*process, string, error) {
	p := &process{command: exec.Command(name, args...), ended: make(chan struct{})} //nolint:noctx,gosec // stop ends it; the command line is ours
	reader, writer := io.Pipe()
	p.command.Stdout, p.command.Stderr = writer, writer
	if err := p.command.Start(); err != nil {
		return nil, "", err
	}
	words := make(chan string, 1)
	go p.follow(reader, found, words)
	go func() {
		_ = p.command.Wait() // stop looks at its state.
		_ = writer.Close()
	}()
	select {
	case word := <-words:
		return p, word, nil
	case <-p.ended:
		return nil, "", fmt.Errorf("%s ended before it served: %s", name, p.tail())
	case <-ctx.Done():
		return nil, "", errors.Join(ctx.Err(), p.stop())
	case <-time.After(patience):
		return nil, "", errors.Join(fmt.Errorf("%s does not serve: %s", name, p.tail()), p.stop())
	}
}

// follow reads the output to its end.
func (p *process) follow(output io.Reader, found func(string) (string, bool), words chan<- string) {
	defer close(p.ended)
	lines := bufio.NewScanner(output)
	lines.Buffer(nil, 1<<20)
	sent := false
	for lines.Scan() {
		p.mu.Lock()
		if p.last = append(p.last, lines.Text()); len(p.last) > mostLines {
			p.last = p.last[1:]
		}
		p.mu.Unlock()
		if word, ok := found(lines.Text()); ok && !sent {
			sent = true
			words <- word
		}
	}
	_, _ = io.Copy(io.Discard, output) // A line beyond the bound must not block the process.
}

func (p *process) tail() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.last, "\n")
}

// stop ends the process and waits for its end.
func (p *process) stop() error {
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		<-p.ended
		return fmt.Errorf("the process ended by itself: %s", p.tail())
	}
	select {
	case <-p.ended:
		return nil
	case <-time.After(patience):
		err := p.command.Process.Kill()
		<-p.ended
		return errors.Join(errors.New("the process had to be killed"), err)
	}
}
