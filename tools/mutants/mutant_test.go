package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

// TestMutantsApply: every mutant changes the code as it is today, into code that parses,
// and names packages and tests that exist. What it removes that is there no more, or
// twice, would test nothing.
func TestMutantsApply(t *testing.T) {
	t.Parallel()
	mutants, err := readMutants("patches")
	if err != nil {
		t.Fatal(err)
	}
	about := make(map[string]int)
	for _, m := range mutants {
		folder, _, _ := strings.Cut(m.name, "/")
		about[folder]++
		files, err := m.apply(root)
		if err != nil {
			t.Errorf("%s: %v", m.name, err)
			continue
		}
		for file, text := range files {
			if _, err := parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution); err != nil {
				t.Errorf("%s: %v", m.name, err)
			}
			if strings.HasSuffix(file, "_test.go") {
				t.Errorf("%s changes a test", m.name)
			}
		}
		run, err := regexp.Compile(m.run)
		if err != nil {
			t.Errorf("%s: %v", m.name, err)
			continue
		}
		found := false
		for _, tests := range m.tests {
			names, err := testsIn(filepath.Join(root, tests))
			if err != nil {
				t.Errorf("%s: %v", m.name, err)
			}
			for _, name := range names {
				found = found || run.MatchString(name)
			}
		}
		if !found {
			t.Errorf("%s: no test is called %q", m.name, m.run)
		}
	}
	for _, folder := range []string{"authn", "authz", "admission", "audit", "cache", "idempotency", "inventory", "pacing", "secrets"} {
		if about[folder] < 5 {
			t.Errorf("%d mutants are about %s, want some more", about[folder], folder)
		}
	}
}

// TestSurvivorsAreListed: docs/security.md has every mutant that survives, with its
// reason, and no other.
func TestSurvivorsAreListed(t *testing.T) {
	t.Parallel()
	mutants, err := readMutants("patches")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "These survive:")
	page, _, _ := strings.Cut(after, "\n## ")
	for _, m := range mutants {
		row := "| `" + m.name + "` | " + m.survives + " |\n"
		if listed := strings.Contains(page, row); listed != (m.survives != "") {
			t.Errorf("%s: listed: %t, survives: %q", m.name, listed, m.survives)
		}
	}
}

var testName = regexp.MustCompile(`(?m)^func (Test\w+)\(`)

// testsIn are the names of the tests of a package.
func testsIn(folder string) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("no tests in %s: %w", folder, err)
	}
	var names []string
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		for _, found := range testName.FindAllStringSubmatch(string(text), -1) {
			names = append(names, found[1])
		}
	}
	return names, nil
}

func TestParseMutant(t *testing.T) {
	t.Parallel()
	const good = "A fault\nin two lines.\n\nTests: ./a ./b\nRun: TestX|TestY\nSurvives: nobody can see it\n\n--- a/a/a.go\n+++ b/a/a.go\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n\n@@\n-three\n--- a/b.go\n+++ b/b.go\n@@ -9,1 +9,2 @@\n four\n+5\n"
	m, err := parseMutant("a/b", good)
	if err != nil {
		t.Fatal(err)
	}
	if m.why != "A fault in two lines." || strings.Join(m.tests, " ") != "./a ./b" || m.run != "TestX|TestY" || m.survives != "nobody can see it" {
		t.Errorf("got %+v", m)
	}
	want := []edit{{"a/a.go", "one\ntwo\n\n", "one\n2\n\n"}, {"a/a.go", "three\n", ""}, {"b.go", "four\n", "four\n5\n"}}
	if fmt.Sprintf("%q", m.edits) != fmt.Sprintf("%q", want) {
		t.Errorf("got %q, want %q", m.edits, want)
	}
	for name, change := range map[string][2]string{
		"no reason":        {"A fault\nin two lines.\n", ""},
		"no tests":         {"Tests: ./a ./b\n", ""},
		"no diff":          {"--- ", "... "},
		"no hunk":          {"@@", "##"},
		"nothing changes":  {"+2\n", "+two\n"},
		"nothing is there": {"-three\n", "+three\n"},
	} {
		if _, err := parseMutant("a/b", strings.ReplaceAll(good, change[0], change[1])); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestApply: what a patch removes is found wherever it is, as whole lines, and once.
func TestApply(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write(t, filepath.Join(folder, "a.go"), "one\n\ttwo\ntwo\nx3 three\nthree\nfour\nfour\n") //nolint:dupword // A line that is there twice.
	for _, test := range []struct {
		edits []edit
		want  string
	}{
		{[]edit{{"a.go", "one\n", "1\n"}}, "1\n\ttwo\ntwo\nx3 three\nthree\nfour\nfour\n"},                   //nolint:dupword // A line that is there twice.
		{[]edit{{"a.go", "two\n", "2\n"}}, "one\n\ttwo\n2\nx3 three\nthree\nfour\nfour\n"},                   //nolint:dupword // A line that is there twice.
		{[]edit{{"a.go", "three\n", ""}, {"a.go", "one\n", "1\n"}}, "1\n\ttwo\ntwo\nx3 three\nfour\nfour\n"}, //nolint:dupword // A line that is there twice.
		{[]edit{{"a.go", "four\n", "4\n"}}, ""},
		{[]edit{{"a.go", "five\n", "5\n"}}, ""},
		{[]edit{{"b.go", "one\n", "1\n"}}, ""},
	} {
		files, err := mutant{edits: test.edits}.apply(folder)
		if (err == nil) != (test.want != "") || files["a.go"] != test.want {
			t.Errorf("%q: got %q, %v", test.edits, files["a.go"], err)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
