package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/manual"
)

const manualPage = "../../docs/cli.md"

// TestReferencePageOfCommands: docs/cli.md has the commands and flags of the code.
func TestReferencePageOfCommands(t *testing.T) {
	t.Parallel()
	parser, err := parserOf(new(program))
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := manual.Write(&want, parser.Model); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(manualPage, want.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(manualPage)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), string(got)); diff != "" {
		t.Errorf("docs/cli.md is not current; make reference writes it (-want +got):\n%s", diff)
	}
}

// TestHelpSaysExitCodes: that of the program and of every command does.
func TestHelpSaysExitCodes(t *testing.T) {
	t.Parallel()
	parser, err := parserOf(new(program))
	if err != nil {
		t.Fatal(err)
	}
	lines := [][]string{{"--help"}}
	for _, command := range parser.Model.Leaves(true) {
		lines = append(lines, append(strings.Fields(strings.TrimPrefix(command.FullPath(), "gateway ")), "--help"))
	}
	for _, line := range lines {
		var out, errs bytes.Buffer
		if code := run(t.Context(), line, streams{&out, &errs}); code != 0 || strings.Count(out.String(), "Exit codes: ") != 1 {
			t.Errorf("%q: exit code %d:\n%s%s", line, code, &out, &errs)
		}
	}
}
