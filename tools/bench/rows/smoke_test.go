package rows

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/tools/bench/report"
)

// need skips a test where a program is not installed.
func need(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed", name)
		}
	}
}

// Every row of the doors, with as few calls as there can be.
func TestDoors(t *testing.T) {
	need(t, "h2load", "nginx")
	s := testSuite(t)
	if err := s.doors(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, row := range s.result.Rows {
		ids = append(ids, row.ID)
		for _, subject := range row.Subjects {
			if rate := subject.Metric(report.Rate).Sample(); rate.Median <= 0 {
				t.Errorf("%s, %s: %+v calls a second", row.ID, subject.Name, rate)
			}
		}
		if row.Subjects[0].Name != nameGateway || len(row.Subjects) < 2 {
			t.Errorf("%s has the subjects %+v", row.ID, row.Subjects)
		}
	}
	if !slices.Equal(ids, doorIDs(1)) {
		t.Errorf("the rows are %q", ids)
	}
	for _, skip := range s.result.Skipped {
		if skip.What != nameVarnish {
			t.Errorf("skipped: %+v", skip)
		}
	}
}

func TestMiss(t *testing.T) {
	need(t, "nginx")
	s := testSuite(t)
	if err := s.miss(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(s.result.Rows) != 1 || len(s.result.Rows[0].Verdicts) != 2 {
		t.Errorf("%+v", s.result.Rows)
	}
}

// What cannot be had is skipped by name, and the rest is measured.
func TestAMissingPeerIsNamed(t *testing.T) {
	need(t, "h2load")
	h2load, err := exec.LookPath("h2load")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.Symlink(h2load, filepath.Join(folder, "h2load")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder)
	s := testSuite(t)
	s.Only = []string{"rest-1"}
	if err := s.doors(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, skip := range s.result.Skipped {
		names = append(names, skip.What+": "+skip.Reason)
	}
	want := []string{nameGuarded + ": it is not installed", nameNginx + ": it is not installed", nameVarnish + ": it is not installed"}
	if !slices.Equal(names, want) || len(s.result.Rows) != 1 || len(s.result.Rows[0].Verdicts) != 0 {
		t.Errorf("skipped %q, and measured %+v", names, s.result.Rows)
	}
}

func TestARowThatDoesNotExistIsAnError(t *testing.T) {
	command := exec.CommandContext(t.Context(), built.bench, "-gateway", built.gateway, "-only", "fastest")
	if output, err := command.CombinedOutput(); err == nil || !strings.Contains(string(output), "fastest") {
		t.Errorf("%v: %s", err, output)
	}
}

// An interrupted run leaves no process and no file.
func TestAnInterruptEndsEverything(t *testing.T) {
	need(t, "h2load", "nginx")
	folder := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, built.bench, "-gateway", built.gateway, "-quick", "-only", "fast")
	command.Env = append(os.Environ(), "TMPDIR="+folder)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	// All servers of the row run when there is a file of nginx.
	for {
		if found, err := filepath.Glob(filepath.Join(folder, "*", "nginx-*", "nginx.pid")); err == nil && len(found) > 0 {
			break
		}
		if err := ctx.Err(); err != nil {
			t.Fatal("no server has started")
		}
	}
	if len(below(t, folder)) == 0 {
		t.Fatal("no process is below the folder")
	}
	if err := command.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := command.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 2 {
		t.Errorf("it ended with %v", err)
	}
	if left := below(t, folder); len(left) > 0 {
		t.Errorf("processes are left: %q", left)
	}
	files, err := os.ReadDir(folder)
	if err != nil || len(files) > 0 {
		t.Errorf("files are left: %v, %v", files, err)
	}
}

// A step ends its processes when it ends, and not when the run does.
func TestAStepEndsItsProcesses(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	failed := errors.New("it fails")
	err := testSuite(t).onStage(func(g *stage) error {
		answer, err := g.file("answer", nil)
		if err != nil {
			return err
		}
		if _, err := g.floor(t.Context(), "connect", answer); err != nil {
			return err
		}
		if len(below(t, g.folder)) == 0 {
			t.Error("no process is below the folder")
		}
		return failed
	})
	if !errors.Is(err, failed) {
		t.Fatal(err)
	}
	if left := below(t, os.TempDir()); len(left) > 0 {
		t.Errorf("processes are left: %q", left)
	}
}

// below are the command lines of the processes that name the folder, or work for it.
func below(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(line), folder) {
			lines = append(lines, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return lines
}
