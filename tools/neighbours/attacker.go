package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// The attacks.
const (
	granted  = "with a grant"
	stranger = "without a credential"
)

// attacker is a process that attacks.
type attacker struct {
	cmd *exec.Cmd
	in  io.Closer
	out *bufio.Reader
}

// orders are what an attacker is told.
type orders struct {
	Target target
	For    time.Duration
}

// attack starts an attacker of the lowest priority, and returns when it has begun.
func (s *setup) attack(ctx context.Context, name string, d time.Duration) (*attacker, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	lowest := []string{"nice", "-n", "19"}
	if _, err := exec.LookPath("chrt"); err == nil {
		lowest = []string{"chrt", "--idle", "0"}
	}
	cmd := exec.CommandContext(ctx, lowest[0], append(lowest[1:], self, "-attack", name)...) //nolint:gosec // It is this binary.
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
	a := &attacker{cmd: cmd, in: in, out: bufio.NewReader(out)}
	at := s.target
	at.Token = ""
	if name == granted {
		at.Token = s.hostile
	}
	if err := json.NewEncoder(in).Encode(orders{at, d}); err != nil {
		a.kill()
		return nil, err
	}
	if _, err := a.out.ReadString('\n'); err != nil {
		a.kill()
		return nil, fmt.Errorf("the attack %s did not begin: %w", name, err)
	}
	return a, nil
}

// end ends the attack, and returns what it says of itself.
func (a *attacker) end() (string, error) {
	_ = a.in.Close()
	text, err := io.ReadAll(a.out)
	return strings.TrimSpace(string(text)), errors.Join(err, a.cmd.Wait())
}

// kill ends the attacker wherever it is.
func (a *attacker) kill() {
	_ = a.cmd.Process.Kill()
	_ = a.cmd.Wait() // It has ended, or has been waited for.
}

// attackFor makes an attack until in ends, or for the time that it says.
func attackFor(ctx context.Context, name string, in io.Reader, out io.Writer) error {
	var o orders
	decoder := json.NewDecoder(in)
	if err := decoder.Decode(&o); err != nil {
		return err
	}
	for _, door := range []string{o.Target.Listen, o.Target.GRPCListen} {
		host, _, err := net.SplitHostPort(door)
		if err != nil {
			return err
		}
		if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
			return fmt.Errorf("%s is not a loopback address", host)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, min(o.For, longest+4*settle))
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, in) // Until the parent ends, or says so.
		cancel()
	}()
	t := &tally{counts: make(map[string]int)}
	workers, ok := map[string]func(context.Context, *sync.WaitGroup, target, *tally){granted: attackGranted, stranger: attackStranger}[name]
	if !ok {
		return fmt.Errorf("there is no attack %q", name)
	}
	var all sync.WaitGroup
	workers(ctx, &all, o.Target, t)
	if _, err := fmt.Fprintln(out, "begun"); err != nil {
		cancel()
	}
	all.Wait()
	_, err := fmt.Fprintf(out, "the neighbour %s: %s\n", name, t)
	return err
}

// tally counts what became of an attacker's calls.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

func (t *tally) add(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.counts) < 100 {
		t.counts[what]++
	}
}

// String lists the counts, by name.
func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var parts []string
	for _, what := range slices.Sorted(maps.Keys(t.counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", what, t.counts[what]))
	}
	return strings.Join(parts, ", ")
}
