package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/admin-gateway/admin-gateway/tools/bench/report"
)

// saved writes a result with a plot into a file.
func saved(t *testing.T) string {
	t.Helper()
	text, err := json.Marshal(report.Result{
		Rows: []report.Row{{ID: "start", Title: "Start"}},
		Plots: []report.Plot{{Name: "rates", Title: "Rates", Series: []report.Series{
			{Name: "gateway", Points: []report.Point{{X: 1, Y: 2, Low: 1, High: 3}, {X: 2, Y: 4, Low: 3, High: 5}}},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "result.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestAPageIsWrittenFromASavedResult(t *testing.T) {
	page := filepath.Join(t.TempDir(), "performance.md")
	args := []string{"-from", saved(t), "-page", page}
	var out bytes.Buffer
	if err := run(t.Context(), args, &out, t.Output()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "](performance/rates.svg)") || !strings.Contains(out.String(), "Start (start)") {
		t.Errorf("the page is %s\nand the table %s", text, &out)
	}
	drawn, err := os.ReadFile(filepath.Join(filepath.Dir(page), "performance", "rates.svg"))
	if err != nil || !bytes.Contains(drawn, []byte("</svg>")) {
		t.Errorf("the plot is %.100s, %v", drawn, err)
	}
}

// A page in which nobody can tell what was written by hand is left alone.
func TestAPageWithoutMarksIsLeftAlone(t *testing.T) {
	page := filepath.Join(t.TempDir(), "performance.md")
	const written = "# Performance\n\nBy hand.\n"
	if err := os.WriteFile(page, []byte(written), 0o600); err != nil {
		t.Fatal(err)
	}
	err := run(t.Context(), []string{"-from", saved(t), "-page", page}, new(bytes.Buffer), t.Output())
	if err == nil || !strings.Contains(err.Error(), page) {
		t.Errorf("the error is %v", err)
	}
	if text, err := os.ReadFile(page); err != nil || string(text) != written {
		t.Errorf("the page is %q, %v", text, err)
	}
}

func TestWrongArgumentsAreErrors(t *testing.T) {
	for _, args := range [][]string{{"fast-1"}, {"-floor", "none"}, {"-floor", "grpc-fair"}, {"-from", filepath.Join(t.TempDir(), "none")}} {
		if err := run(t.Context(), args, new(bytes.Buffer), t.Output()); err == nil {
			t.Errorf("%q is no error", args)
		}
	}
}
