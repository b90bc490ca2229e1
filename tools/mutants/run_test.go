package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// victim is a module whose tests notice some faults.
func victim(t *testing.T) (root, patches string) {
	t.Helper()
	root, patches = t.TempDir(), t.TempDir()
	write(t, filepath.Join(root, "go.mod"), "module example.org/victim\n\ngo 1.26.0\n")
	write(t, filepath.Join(root, "a", "a.go"), "package a\n\n// Limit is a bound.\nconst Limit = 3\n\n// Within reports whether n is.\nfunc Within(n int) bool {\n\treturn n < Limit\n}\n")
	write(t, filepath.Join(root, "a", "a_test.go"), "package a\n\nimport \"testing\"\n\nfunc TestWithin(t *testing.T) {\n\tif Within(4) || !Within(2) {\n\t\tt.Error(\"wrong\")\n\t}\n}\n")
	return root, patches
}

func patch(t *testing.T, patches, name, survives, old, instead string) {
	t.Helper()
	if survives != "" {
		survives = "Survives: " + survives + "\n"
	}
	write(t, filepath.Join(patches, "about", name+extension),
		"It is wrong.\n\nTests: ./a\n"+survives+"\n--- a/a/a.go\n+++ b/a/a.go\n@@\n-"+old+"\n+"+instead+"\n")
}

// TestVerdicts: a mutant is killed, survives, hangs or does not compile, and what is not
// as its patch says fails the run. The files are not touched.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	const line = "\treturn n < Limit"
	for name, test := range map[string]struct {
		survives, instead string
		want              verdict
		fault             string
	}{
		"killed":           {"", "\treturn n > Limit", killed, ""},
		"survived":         {"", "\treturn n <= Limit", survived, "no test notices it"},
		"with its reason":  {"nobody asks for 3", "\treturn n <= Limit", survived, ""},
		"reason is untrue": {"nobody asks for 3", "\treturn n > Limit", killed, "a test notices it"},
		"broken":           {"", "\treturn n", broken, "it does not compile"},
		"panics":           {"", "\tpanic(n)", killed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, patches := victim(t)
			patch(t, patches, "mutant", test.survives, line, test.instead)
			before, err := os.ReadFile(filepath.Join(root, "a", "a.go"))
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			err = run(t.Context(), []string{"-root", root, "-patches", patches}, &out)
			if errors.Is(err, errFaults) != (test.fault != "") || err != nil && !errors.Is(err, errFaults) {
				t.Fatalf("%v: %s", err, out.String())
			}
			if said := out.String(); !strings.Contains(said, string(test.want)) || !strings.Contains(said, test.fault) {
				t.Errorf("said %s", said)
			}
			if after, err := os.ReadFile(filepath.Join(root, "a", "a.go")); err != nil || string(after) != string(before) {
				t.Errorf("the file was changed: %s, %v", after, err)
			}
		})
	}
}

// TestHangingTestsAreStopped: with all the processes that they started.
func TestHangingTestsAreStopped(t *testing.T) {
	t.Parallel()
	root, patches := victim(t)
	patch(t, patches, "mutant", "", "\treturn n < Limit", "\tselect {}")
	m, err := readMutants(patches)
	if err != nil {
		t.Fatal(err)
	}
	r := runner{root: root, limit: 1} // Nanosecond.
	end, err := r.run(t.Context(), m[0])
	if err != nil || end.verdict != hung || end.fault() != "" {
		t.Errorf("got %+v, %v", end, err)
	}
}

// TestFailingTestsSayNothing: where tests fail anyway, the run ends.
func TestFailingTestsSayNothing(t *testing.T) {
	t.Parallel()
	root, patches := victim(t)
	patch(t, patches, "mutant", "", "\treturn n < Limit", "\treturn n > Limit")
	write(t, filepath.Join(root, "a", "b_test.go"), "package a\n\nimport \"testing\"\n\nfunc TestB(t *testing.T) { t.Error(\"always\") }\n")
	var out strings.Builder
	if err := run(t.Context(), []string{"-root", root, "-patches", patches}, &out); err == nil || !strings.Contains(err.Error(), "without any mutant") {
		t.Errorf("got %v", err)
	}
	if err := run(t.Context(), []string{"-root", root, "-patches", patches, "-only", "nothing"}, &out); err == nil {
		t.Error("no mutant is enough")
	}
}
