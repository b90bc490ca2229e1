package build

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// Two builds of one program have one id, another program has another, and a program
// without an id has none.
func TestBuildID(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("programs have another format here")
	}
	build := func(source string, flags ...string) string {
		t.Helper()
		dir := t.TempDir()
		program := filepath.Join(dir, "program")
		for name, text := range map[string]string{"main.go": source, "go.mod": "module program\n\ngo 1.26\n"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		c := exec.CommandContext(t.Context(), "go", append(append([]string{"build", "-trimpath", "-o", program}, flags...), ".")...)
		c.Dir, c.Env = dir, append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return buildIDOf(program)
	}
	const one, two = "package main\nfunc main() { println(1) }\n", "package main\nfunc main() { println(2) }\n"
	id := build(one)
	if again := build(one); id == "" || again != id {
		t.Errorf("one program has the ids %x and %x", id, again)
	}
	if build(two) == id {
		t.Error("two programs have one id")
	}
	if stripped := build(one, "-ldflags=-s -w"); stripped == "" {
		t.Error("a program without its symbols has no id")
	}
	if none := build(one, "-ldflags=-buildid="); none != "" {
		t.Errorf("a program without an id has %x", none)
	}
	if none := buildIDOf(filepath.Join(t.TempDir(), "nothing")); none != "" {
		t.Errorf("nothing has the id %x", none)
	}
}

func TestGoBuildID(t *testing.T) {
	t.Parallel()
	whole := []byte("\x04\x00\x00\x00\x03\x00\x00\x00\x04\x00\x00\x00Go\x00\x00abc\x00")
	if got := goBuildID(binary.LittleEndian, whole); string(got) != "abc" {
		t.Errorf("got %q", got)
	}
	for cut := range 19 {
		if got := goBuildID(binary.LittleEndian, whole[:cut]); got != nil {
			t.Errorf("of %d bytes: %q", cut, got)
		}
	}
}
