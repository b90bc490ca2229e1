package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const twoFail = "FAILED: Basic/HTTPVersion:1/unimplemented:\n\tactual error\n\tis another\nFAILED: Errors/unary:\n\tno\n\nTotal cases: 5\n3 passed, 2 failed\n"

func TestReadReport(t *testing.T) {
	t.Parallel()
	got, err := readReport([]byte(twoFail))
	if err != nil {
		t.Fatal(err)
	}
	want := report{total: 5, passed: 3, failed: map[string]string{
		"Basic/HTTPVersion:1/unimplemented": "\tactual error\n\tis another\n", "Errors/unary": "\tno\n",
	}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(report{})); diff != "" {
		t.Errorf("- want, + got\n%s", diff)
	}
}

// TestReadReportRefuses: a case that was not run does not count as passed.
func TestReadReportRefuses(t *testing.T) {
	t.Parallel()
	for name, printed := range map[string]string{
		"nothing":              "",
		"no end":               "FAILED: Errors/unary:\n\tno\n",
		"no cases":             "Total cases: 0\n0 passed, 0 failed\n",
		"cases that were lost": "Total cases: 5\n4 passed, 0 failed\n",
		"a failure unnamed":    "Total cases: 5\n4 passed, 1 failed\n",
		"cases that never ran": "Total cases: 5\n5 passed, 0 failed\nAnother 2 could not be run due to client timing out or exiting prematurely.\n",
	} {
		if got, err := readReport([]byte(printed)); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// printing is a runner that prints a given text for each server.
func printing(t *testing.T, texts map[string]string) suiteRun {
	t.Helper()
	folder := t.TempDir()
	script := "#!/bin/sh\ncase \"$*\" in\n"
	for name, text := range texts {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		script += fmt.Sprintf("*'-serve %s') cat '%s' ;;\n", name, path)
	}
	runner := filepath.Join(folder, "runner")
	if err := os.WriteFile(runner, []byte(script+"esac\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return suiteRun{runner: runner, protos: "protos", self: "self", folder: folder}
}

func TestRun(t *testing.T) {
	t.Parallel()
	const allPass = "Total cases: 5\n5 passed, 0 failed\n"
	for name, test := range map[string]struct {
		bare, port, fast string
		regression, err  bool
		says             string
	}{
		"the library's own failures": {twoFail, twoFail, allPass, false, false, "known, the library itself fails: Errors/unary"},
		"better than the library":    {twoFail, allPass, allPass, false, false, "the one-port door                  5 of 5 passed"},
		"one of the door's":          {allPass, twoFail, allPass, true, true, "the one-port door fails: Errors/unary\n\tno"},
		"one of the fast door's":     {allPass, allPass, twoFail, true, true, "the fast gRPC door fails: Errors/unary"},
		"fewer cases":                {allPass, "Total cases: 4\n4 passed, 0 failed\n", allPass, false, true, ""},
		"no end":                     {allPass, "panic\n", allPass, false, true, ""},
	} {
		var out strings.Builder
		err := printing(t, map[string]string{"bare": test.bare, "port": test.port, "fast": test.fast}).run(t.Context(), &out)
		if errors.Is(err, errRegression) != test.regression || (err != nil) != test.err || !strings.Contains(out.String(), test.says) {
			t.Errorf("%s: %v\n%s", name, err, out.String())
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := printing(t, nil).run(ctx, new(strings.Builder)); !errors.Is(err, context.Canceled) {
		t.Errorf("a run that was given up: %v", err)
	}
}
