package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Ten tests, of which the last fails on the mock alone.
func ten() results {
	all := results{}
	for _, name := range strings.Fields("a b c d e f g h i") {
		all[name] = result{passed, ""}
	}
	all["j"] = result{failed, "of the mock"}
	return all
}

func TestReport(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		calls  int
		change func(alone, through results)
		says   string // "": no error
	}{
		{"the same", 10, func(_, _ results) {}, ""},
		{"a test that the gateway mends", 10, func(_, through results) { through["j"] = result{passed, ""} }, ""},
		{"a test that the gateway breaks", 10, func(_, through results) { through["c"] = result{failed, "no such method"} }, "c fails through the gateway: \n      no such method"},
		{"a test that is skipped", 10, func(_, through results) { through["c"] = result{skipped, ""} }, "c fails through the gateway"},
		{"a test that did not run", 10, func(_, through results) { delete(through, "c") }, "c did not run through the gateway"},
		{"a mock that fails", 10, func(alone, _ results) { alone["c"] = result{failed, "no mock"} }, "the mock is wrong"},
		{"no tests", 10, func(alone, through results) { clear(alone); clear(through) }, "the mock is wrong"},
		{"no calls", 0, func(_, _ results) {}, "does not call the gateway"},
	} {
		alone := ten()
		through := maps.Clone(alone)
		tt.change(alone, through)
		lines, err := report("suite", alone, through, tt.calls)
		said := strings.Join(lines, "\n")
		if (err != nil) != (tt.says != "") {
			t.Errorf("%s: %v", tt.name, err)
		}
		if err != nil && !strings.Contains(said+err.Error(), tt.says) {
			t.Errorf("%s: says %s%v", tt.name, said, err)
		}
	}
}

func TestGoResults(t *testing.T) {
	t.Parallel()
	got := goResults([]byte("=== RUN   TestA\n--- PASS: TestA (0.00s)\n=== RUN   TestB\n    b_test.go:1: wrong\n--- FAIL: TestB (0.01s)\n" +
		"=== RUN   TestC\n=== RUN   TestC/sub\n--- PASS: TestC (0.00s)\n    --- PASS: TestC/sub (0.00s)\n=== RUN   TestD\n    d_test.go:1: not here\n--- SKIP: TestD (0.00s)\nFAIL\n"))
	want := results{"TestA": {passed, ""}, "TestB": {failed, "    b_test.go:1: wrong\n"}, "TestC": {passed, ""}, "TestD": {skipped, "    d_test.go:1: not here\n"}}
	if !maps.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestJUnitResults(t *testing.T) {
	t.Parallel()
	got, err := junitResults([]byte(`<?xml version="1.0"?><testsuites><testsuite>
		<testcase classname="tests.api_resources.admin.organization.test_a.TestA" name="test_one[loose]" time="0.1"/>
		<testcase classname="B" name="two"><failure message="m">wrong</failure></testcase>
		<testcase classname="B" name="three"><error message="m">no fixture</error></testcase>
		<testcase classname="B" name="four"><skipped message="m">why</skipped></testcase>
	</testsuite></testsuites>`))
	want := results{"organization.test_a.TestA.test_one[loose]": {passed, ""}, "B.two": {failed, "wrong"}, "B.three": {failed, "no fixture"}, "B.four": {skipped, ""}}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
}

// A member may be called as the keyword is.
func TestPrepareRemovesExamples(t *testing.T) {
	t.Parallel()
	from, to := filepath.Join(t.TempDir(), "from"), filepath.Join(t.TempDir(), "to")
	if err := os.WriteFile(from, []byte(`{"components":{"schemas":{"A":{"x-example":"x","example":"{}","properties":{"example":{"type":"string","example":"e"}}}}},"paths":[{"example":1}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := prepare(from, to); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"components":{"responses":{"TooManyRequests":{"description":"Too many requests."}},"schemas":{"A":{"properties":{"example":{"type":"string"}}}}},"paths":[{}]}`
	if !json.Valid(raw) || string(raw) != want {
		t.Errorf("got %s", raw)
	}
}
