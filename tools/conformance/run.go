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
	"syscall"
	"text/tabwriter"
	"time"
)

// longestRun bounds the suite against one server; it takes seconds.
const longestRun = 80 * time.Second

//go:embed features
var features embed.FS

// targets are the servers in the order in which they are run. The first is what
// the others are held against.
var targets = []target{
	{"bare", "features/http.yaml", "connect on net/http, nothing else"},
	{"road", "features/http.yaml", "the one-port door"},
	{"fast", "features/grpc.yaml", "the fast gRPC door"},
}

type target struct{ name, features, what string }

// errRegression says that a door fails what the library passes.
var errRegression = errors.New("a door fails cases that the bare library passes")

// suiteRun runs the suite against all servers.
type suiteRun struct {
	runner, protos string
	self           string // this program, which is the servers
	folder         string // for what the runner reads
}

// run prints a line a server, and the cases in which a door does worse than the
// library on its own.
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
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for i, t := range targets {
		fmt.Fprintf(table, "%s\t%d of %d passed\n", t.what, reports[i].passed, reports[i].total)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	bare := reports[0]
	worse := false
	for i, t := range targets[1:] {
		for _, name := range bare.regressions(reports[i+1]) {
			worse = true
			fmt.Fprintf(out, "%s fails: %s\n%s", t.what, name, reports[i+1].failed[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(bare.failed)) {
		fmt.Fprintf(out, "known, the library itself fails: %s\n", name)
	}
	if worse {
		return errRegression
	}
	if reports[1].total != bare.total {
		return fmt.Errorf("%d cases were run against the door and %d against the library", reports[1].total, bare.total)
	}
	return nil
}

// against gives what the runner prints.
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
	// The runner leaves its servers behind when it is ended, so all of them are.
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
