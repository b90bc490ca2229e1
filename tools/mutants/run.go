package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// verdict is how a mutant ended.
type verdict string

const (
	killed   verdict = "killed"
	survived verdict = "survived"
	// hung says that the tests did not end in time, which is noticed too.
	hung verdict = "killed (time)"
	// broken says that the mutant shows nothing: it does not compile.
	broken verdict = "broken"
)

// result is the end of one mutant.
type result struct {
	mutant
	verdict verdict
	by      string // The first test that failed.
	output  string
	took    time.Duration
}

// fault returns the reason why a result is not as it should be; "" where it is.
func (r result) fault() string {
	switch {
	case r.verdict == broken:
		return "it does not compile:\n" + r.output
	case r.verdict == survived && r.survives == "":
		return `no test notices it: write one, or give the reason in a line "Survives: "`
	case r.verdict != survived && r.survives != "":
		return `a test notices it: take out the line "Survives: "`
	}
	return ""
}

// runner runs the tests of mutants.
type runner struct {
	root  string
	limit time.Duration // For the tests of one mutant, compilation included.
}

// baseline runs the tests without the mutant: where they fail anyway, they say nothing.
// Results that go test knows are not run again.
func (r runner) baseline(ctx context.Context, m mutant) error {
	output, err := r.test(ctx, m, "")
	if err != nil {
		return fmt.Errorf("without any mutant, go test of %s fails:\n%s", strings.Join(m.tests, " "), output)
	}
	return nil
}

// run runs the tests with the mutant.
func (r runner) run(ctx context.Context, m mutant) (result, error) {
	began := time.Now()
	files, err := m.apply(r.root)
	if err != nil {
		return result{}, err
	}
	folder, err := os.MkdirTemp("", "mutant-")
	if err != nil {
		return result{}, err
	}
	defer func() { _ = os.RemoveAll(folder) }() // Of the system's folder for such.
	overlay, err := writeOverlay(r.root, folder, files)
	if err != nil {
		return result{}, err
	}
	limited, cancel := context.WithTimeout(ctx, r.limit)
	defer cancel()
	output, err := r.test(limited, m, overlay)
	end := result{mutant: m, output: output, took: time.Since(began)}
	_, failed := errors.AsType[*exec.ExitError](err)
	switch {
	case ctx.Err() != nil:
		return result{}, ctx.Err()
	case limited.Err() != nil:
		end.verdict = hung
	case err == nil:
		end.verdict = survived
	case !failed:
		return result{}, err
	case strings.Contains(output, "[build failed]") || strings.Contains(output, "[setup failed]"):
		end.verdict = broken
	default:
		end.verdict, end.by = killed, firstFailure(output)
	}
	return end, nil
}

// test runs go test, with an overlay unless it is "". The error is that of the command.
func (r runner) test(ctx context.Context, m mutant, overlay string) (output string, err error) {
	args := []string{"test", "-vet=off", "-ldflags=-w", "-failfast", "-timeout", r.limit.String()}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	if m.run != "" {
		args = append(args, "-run", m.run)
	}
	command := exec.CommandContext(ctx, "go", append(args, m.tests...)...) //nolint:gosec // The patches are part of the project.
	command.Dir = r.root
	// Tests start processes: all of them end with the command.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	command.WaitDelay = time.Second
	var all bytes.Buffer
	command.Stdout, command.Stderr = &all, &all
	err = command.Run()
	return all.String(), err
}

// writeOverlay writes the changed files, and the file that tells the go command of them.
func writeOverlay(root, folder string, files map[string]string) (path string, err error) {
	absolute, err := filepath.Abs(root)
	if err != nil {
		return "", err
	}
	replace := make(map[string]string)
	for file, text := range files {
		changed := filepath.Join(folder, strings.ReplaceAll(file, "/", "_"))
		if err := os.WriteFile(changed, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(absolute, filepath.FromSlash(file))] = changed
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path = filepath.Join(folder, "overlay.json")
	return path, os.WriteFile(path, overlay, 0o600)
}

var failure = regexp.MustCompile(`(?m)^--- FAIL: (\S+)`)

// firstFailure is the first test that failed, or what happened instead.
func firstFailure(output string) string {
	if found := failure.FindStringSubmatch(output); found != nil {
		return found[1]
	}
	if strings.Contains(output, "panic: ") {
		return "a panic"
	}
	return "a failure outside of tests"
}
