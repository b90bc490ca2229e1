package main

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
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

// hanging are tests that start a process and wait for it. It says on a connection that it
// is there, and ends with that.
const hanging = `package a

import (
	"io"
	"net"
	"os"
	"os/exec"
	"testing"
)

func TestWithin(t *testing.T) {
	if Within(2) {
		return
	}
	child := exec.Command(os.Args[0], "-test.run=^TestChild$")
	child.Env = append(os.Environ(), "CHILD=1")
	if err := child.Run(); err != nil {
		t.Log(err)
	}
}

func TestChild(t *testing.T) {
	if os.Getenv("CHILD") == "" {
		return
	}
	conn, err := net.Dial("tcp", "ADDRESS")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, conn)
}
`

// TestHangingTestsAreStopped: when the time is over, with all the processes that they
// started.
func TestHangingTestsAreStopped(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	root, patches := victim(t)
	patch(t, patches, "mutant", "", "\treturn n < Limit", "\treturn n > Limit")
	write(t, filepath.Join(root, "a", "a_test.go"), strings.ReplaceAll(hanging, "ADDRESS", listener.Addr().String()))
	m, err := readMutants(patches)
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan context.CancelFunc, 2) // With the mutant, and without it.
	r := runner{root: root, good: make(map[string]bool), bounded: func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancel(ctx)
		over <- cancel
		return ctx, cancel
	}}
	gone := make(chan error, 1)
	go func() {
		conn, err := listener.Accept() // The process is there.
		if err != nil {
			gone <- err
			return
		}
		defer func() { _ = conn.Close() }()
		(<-over)()
		if err = conn.SetReadDeadline(time.Now().Add(time.Minute)); err == nil {
			_, err = conn.Read(make([]byte, 1))
		}
		gone <- err
	}()
	end, err := r.run(t.Context(), m[0])
	if err != nil || end.verdict != hung || end.fault() != "" {
		t.Errorf("got %+v, %v", end, err)
	}
	_ = listener.Close() // Nobody comes any more.
	if err := <-gone; !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the process that the tests started is still there: %v", err)
	}
}

// TestFailingTestsSayNothing: a test that fails without the mutant too has not noticed it.
func TestFailingTestsSayNothing(t *testing.T) {
	t.Parallel()
	root, patches := victim(t)
	patch(t, patches, "mutant", "", "\treturn n < Limit", "\treturn n <= Limit")
	write(t, filepath.Join(root, "a", "b_test.go"), "package a\n\nimport \"testing\"\n\nfunc TestB(t *testing.T) { t.Error(\"always\") }\n")
	var out strings.Builder
	err := run(t.Context(), []string{"-root", root, "-patches", patches}, &out)
	if said := out.String(); !errors.Is(err, errFaults) || !strings.Contains(said, "0 killed") || !strings.Contains(said, "without any mutant") {
		t.Errorf("said %s, %v", said, err)
	}
	if err := run(t.Context(), []string{"-root", root, "-patches", patches, "-only", "nothing"}, &out); err == nil {
		t.Error("no mutant is enough")
	}
}

// TestPackagesInTheirOrder: once a package has noticed, the others are not asked.
func TestPackagesInTheirOrder(t *testing.T) {
	t.Parallel()
	root, _ := victim(t)
	write(t, filepath.Join(root, "b", "b_test.go"), "package b\n\nimport \"testing\"\n\nfunc TestB(t *testing.T) { t.Error(\"always\") }\n")
	const line = "\treturn n < Limit"
	for order, want := range map[string]verdict{"./a ./b": killed, "./b ./a": moot} {
		m := mutant{tests: strings.Fields(order), edits: []edit{{"a/a.go", line + "\n", "\treturn n > Limit\n"}}}
		r := runner{root: root, good: make(map[string]bool), bounded: within(time.Minute)}
		if end, err := r.run(t.Context(), m); err != nil || end.verdict != want {
			t.Errorf("%s: %s, %v, want %s", order, end.verdict, err, want)
		}
	}
}

// TestARunThatEndsEarlyReports what it has found, and its own error.
func TestARunThatEndsEarlyReports(t *testing.T) {
	t.Parallel()
	root, patches := victim(t)
	patch(t, patches, "first", "", "\treturn n < Limit", "\treturn n > Limit")
	patch(t, patches, "second", "", "\treturn false", "\treturn true")
	var out strings.Builder
	err := run(t.Context(), []string{"-root", root, "-patches", patches}, &out)
	if said := out.String(); err == nil || errors.Is(err, errFaults) || !strings.Contains(said, "TestWithin") || !strings.Contains(said, "1 mutants: 1 killed") {
		t.Errorf("said %s, %v", said, err)
	}
}
