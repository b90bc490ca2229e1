package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
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
	// moot says that the tests fail without the mutant too.
	moot verdict = "moot"
)

// result is the end of one mutant.
type result struct {
	mutant
	verdict verdict
	by      string // The first test that failed; "" if no test did.
	output  string
	took    time.Duration
}

// fault returns the reason why a result is not as it should be; "" where it is.
func (r result) fault() string {
	switch {
	case r.verdict == broken:
		return "it does not compile:\n" + r.output
	case r.verdict == moot:
		return "without any mutant, go test of " + strings.Join(r.tests, " ") + " fails:\n" + r.output
	case r.verdict == survived && r.survives == "":
		return `no test notices it: write one, or give the reason in a line "Survives: "`
	case r.verdict != survived && r.survives != "":
		return `a test notices it: take out the line "Survives: "`
	}
	return ""
}

// runner runs the tests of mutants.
type runner struct {
	root string
	// bounded returns the context for the tests of one mutant in one package, compilation
	// included.
	bounded func(context.Context) (context.Context, context.CancelFunc)
	// good has the tests that passed without a mutant.
	good map[string]bool
}

// within bounds the tests of a mutant by time.
func within(limit time.Duration) func(context.Context) (context.Context, context.CancelFunc) {
	return func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithTimeout(ctx, limit)
	}
}

// run runs the tests with the mutant, a package after another, until one fails. What
// notices is run without the mutant as well: a test that fails anyway says nothing.
func (r runner) run(ctx context.Context, m mutant) (result, error) {
	began := time.Now()
	files, err := m.apply(r.root)
	if err != nil {
		return result{}, err
	}
	folder, err := os.MkdirTemp("", "m-")
	if err != nil {
		return result{}, err
	}
	defer func() { _ = os.RemoveAll(folder) }() // Of the system's folder for such.
	overlay, err := writeOverlay(r.root, folder, files)
	if err != nil {
		return result{}, err
	}
	end := result{mutant: m, verdict: survived}
	for _, tests := range m.tests {
		with := attempt{tests: tests, run: m.run, overlay: overlay, folder: folder}
		found, err := r.test(ctx, with)
		if err != nil {
			return result{}, err
		}
		end.verdict, end.by, end.output = found.verdict(), found.failed, found.output
		if end.verdict == killed || end.verdict == hung {
			without, err := r.baseline(ctx, with, found)
			if err != nil {
				return result{}, err
			}
			if without.verdict() != survived {
				end.verdict, end.output = moot, without.output
			}
		}
		if end.verdict != survived {
			break
		}
	}
	end.took = time.Since(began)
	return end, nil
}

// baseline runs the tests that noticed a mutant without it, once in a run.
func (r runner) baseline(ctx context.Context, without attempt, found outcome) (outcome, error) {
	without.overlay = ""
	if test, _, _ := strings.Cut(found.failed, "/"); test != "" {
		without.run = "^" + test + "$"
	}
	name := without.run + " " + without.tests
	if r.good[name] {
		return outcome{passed: true}, nil
	}
	again, err := r.test(ctx, without)
	r.good[name] = again.verdict() == survived
	return again, err
}

// attempt is one go test.
type attempt struct {
	tests, run string
	// folder is for temporary files: processes that are killed leave theirs.
	folder string
	// overlay is the file with the changes; "" for none.
	overlay string
}

// outcome is how a go test ended.
type outcome struct {
	output string
	// failed is the first test that did; "" when it was not a test that did.
	failed string
	// late says that the time was over, broken that it did not compile, and passed that
	// nothing failed.
	late, broken, passed bool
}

func (o outcome) verdict() verdict {
	switch {
	case o.failed != "":
		return killed
	case o.late:
		return hung
	case o.broken:
		return broken
	case o.passed:
		return survived
	default:
		return killed // By a panic, say, or by the end of the process.
	}
}

// test runs go test until a test fails: the others say nothing more. It ends with all
// the processes that the tests started.
func (r runner) test(ctx context.Context, a attempt) (outcome, error) {
	args := []string{"test", "-json", "-vet=off", "-ldflags=-w", "-count=1", "-failfast", "-timeout=0"}
	if a.overlay != "" {
		args = append(args, "-overlay", a.overlay)
	}
	if a.run != "" {
		args = append(args, "-run", a.run)
	}
	limited, release := r.bounded(ctx)
	defer release()
	known, end := context.WithCancel(limited)
	defer end()
	command := exec.CommandContext(known, "go", append(args, a.tests)...) //nolint:gosec // The patches are part of the project.
	command.Dir = r.root
	command.Env = append(os.Environ(), "TMPDIR="+a.folder)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	command.WaitDelay = time.Second
	seen := &events{failed: end}
	command.Stdout, command.Stderr = seen, seen
	err := command.Run()
	found := seen.outcome()
	_, exited := errors.AsType[*exec.ExitError](err)
	switch {
	case ctx.Err() != nil:
		return outcome{}, ctx.Err()
	case found.failed != "":
	case limited.Err() != nil:
		found.late = true
	case err == nil:
		found.passed = true
	case !exited:
		return outcome{}, err
	}
	return found, nil
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
