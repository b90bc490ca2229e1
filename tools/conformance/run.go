package main

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// longestRun bounds the suite against one server; it takes seconds.
const longestRun = 80 * time.Second

// mostShown bounds the cases of a door that are printed. They tend to fail by the
// thousand, for one reason.
const mostShown = 20

//go:embed features
var features embed.FS

// targets are the servers in the order in which they are run. The first is the
// reference for the others.
var targets = []target{
	{"bare", "features/http.yaml", "connect on net/http alone"},
	{"port", "features/http.yaml", "the one-port door"},
	{"fast", "features/grpc.yaml", "the fast gRPC door"},
}

type target struct{ name, features, what string }

// errRegression reports that a door fails cases that the library passes.
var errRegression = errors.New("a door fails cases that the bare library passes")

// suiteRun runs the suite against all servers.
type suiteRun struct {
	runner, protos string
	self           string // this program, which is the servers
	folder         string // for the files that the runner reads
}

// run prints a line for each server, and the cases that fail at a door and not with the
// library alone.
func (r suiteRun) run(ctx context.Context, out io.Writer) error {
	var reports []report
	for _, t := range targets {
		printed, err := r.against(ctx, t)
		if err != nil {
			return fmt.Errorf("the suite against %s: %w", t.what, err)
		}
		found, err := readReport(printed)
		if err != nil {
			return fmt.Errorf("the suite against %s: %w; it printed:\n%s", t.what, err, printed)
		}
		reports = append(reports, found)
	}
	text, err := compare(reports)
	if _, failed := io.WriteString(out, text); failed != nil {
		return failed
	}
	return err
}

// compare compares the reports on all targets, in their order, with the first.
func compare(reports []report) (string, error) {
	var text strings.Builder
	for i, t := range targets {
		fmt.Fprintf(&text, "%-34s %d of %d passed\n", t.what, reports[i].passed, reports[i].total)
	}
	bare := reports[0]
	worse := false
	for i, t := range targets[1:] {
		for n, name := range bare.regressions(reports[i+1]) {
			if worse = true; n == mostShown {
				fmt.Fprintf(&text, "%s fails others too\n", t.what)
				break
			}
			fmt.Fprintf(&text, "%s fails: %s\n%s", t.what, name, reports[i+1].failed[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(bare.failed)) {
		fmt.Fprintf(&text, "known, the library itself fails: %s\n", name)
	}
	switch {
	case worse:
		return text.String(), errRegression
	case reports[1].total != bare.total:
		return text.String(), fmt.Errorf("%d cases were run against the door and %d against the library", reports[1].total, bare.total)
	}
	return text.String(), nil
}

// against returns the output of the runner.
func (r suiteRun) against(ctx context.Context, t target) ([]byte, error) {
	content, err := features.ReadFile(t.features)
	if err != nil {
		return nil, err
	}
	config := filepath.Join(r.folder, t.name+".yaml")
	if err := os.WriteFile(config, content, 0o600); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, longestRun)
	defer cancel()
	//nolint:gosec // G204: both programs are named on the command line.
	runner := exec.CommandContext(ctx, r.runner, "--mode", "server", "--conf", config, "--", r.self, "-protos", r.protos, "-serve", t.name)
	// The runner leaves its servers behind when it is ended, so the whole group is.
	runner.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	runner.Cancel = func() error { return syscall.Kill(-runner.Process.Pid, syscall.SIGTERM) }
	runner.WaitDelay = drainTimeout
	var printed bytes.Buffer
	runner.Stdout, runner.Stderr = &printed, &printed
	err = runner.Run()
	if _, failed := errors.AsType[*exec.ExitError](err); err != nil && (!failed || ctx.Err() != nil) {
		return nil, errors.Join(err, ctx.Err())
	}
	return printed.Bytes(), nil // Failed cases are a status too.
}
