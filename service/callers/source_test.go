package callers

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// policyOf lets the callers read users.
func policyOf(names ...string) string {
	text := "callers:\n"
	for _, name := range names {
		text += "  - name: " + name + "\n    authenticate: [{token_sha256: " + hash(name) + "}]\n    grants: [{permissions: [users.read]}]\n"
	}
	return text
}

// watched is a source whose looks the test asks for.
type watched struct {
	*Source
	t    *testing.T
	path string
	tick chan time.Time
	done chan struct{}

	mu  sync.Mutex
	log bytes.Buffer
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

func watch(t *testing.T, path string) *watched {
	t.Helper()
	w := &watched{t: t, path: path, tick: make(chan time.Time), done: make(chan struct{})}
	source, err := Open(File{Path: path, MaxBytes: 4 << 20}, rules(t), slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	source.tick, source.looked = w.tick, func() { w.done <- struct{}{} }
	w.Source = source
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); source.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return w
}

// look has the source look n times.
func (w *watched) look(n int) {
	for range n {
		w.tick <- time.Time{}
		<-w.done
	}
}

func (w *watched) put(text string) {
	w.t.Helper()
	if err := os.WriteFile(w.path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *watched) want(when string, names ...string) {
	w.t.Helper()
	set := w.Current()
	if got := strings.Join(set.Callers(), " "); got != strings.Join(names, " ") {
		w.t.Errorf("%s: callers %q, want %q", when, got, names)
	}
	for _, name := range []string{"a", "b", "c"} {
		if may(w.t, w.rules, set, name, listUsers) != strings.Contains(strings.Join(names, " "), name) {
			w.t.Errorf("%s: %s", when, name)
		}
	}
}

func policyFileOf(t *testing.T, names ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(path, []byte(policyOf(names...)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReload(t *testing.T) {
	t.Parallel()
	w := watch(t, policyFileOf(t, "a"))
	w.look(3)
	w.want("at first", "a")
	first := w.Current().InForce()
	w.put(policyOf("b"))
	w.look(1)
	w.want("seen once", "a")
	if first.Err() != nil {
		t.Error("the policy is superseded before another is in force")
	}
	w.look(1)
	w.want("seen twice", "b")
	if first.Err() == nil || w.Current().InForce().Err() != nil {
		t.Error("the first policy is not superseded, or the second one is")
	}
	w.look(3)
	if w.Reloads() != 1 || w.Failures() != 0 {
		t.Errorf("%d reloads, %d failures", w.Reloads(), w.Failures())
	}
}

// TestBadReload: whatever becomes of the file, the last good policy holds, and
// the operator hears of it once.
func TestBadReload(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*watched){
		"missing":       func(w *watched) { must(t, os.Remove(w.path)) },
		"empty":         func(w *watched) { w.put("") },
		"half":          func(w *watched) { w.put(policyOf("a", "b")[:150]) },
		"not YAML":      func(w *watched) { w.put("\x00\xff") },
		"no permission": func(w *watched) { w.put(strings.ReplaceAll(policyOf("b"), "users.read", "users.reed")) },
		"unreadable":    func(w *watched) { must(t, os.Remove(w.path)); must(t, os.Mkdir(w.path, 0o700)) },
		"a broken link": func(w *watched) { must(t, os.Remove(w.path)); must(t, os.Symlink(w.path+".none", w.path)) },
		"far too large": func(w *watched) { w.put(policyOf("b") + strings.Repeat("#\n", 3<<20)) },
		"no one at all": func(w *watched) { w.put("callers: []\n") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := watch(t, policyFileOf(t, "a"))
			spoil(w)
			w.look(4)
			w.want("spoiled", "a")
			w.mu.Lock()
			logged := strings.Count(w.log.String(), "cannot be used")
			w.mu.Unlock()
			if logged != 1 || w.Failures() < 2 {
				t.Errorf("logged %d times, counted %d", logged, w.Failures())
			}
			must(t, os.RemoveAll(w.path))
			w.put(policyOf("c"))
			w.look(2)
			w.want("repaired", "c")
		})
	}
}

// TestHalfWritten: a file that is being written takes no effect, even where what
// is there so far would be a policy.
func TestHalfWritten(t *testing.T) {
	t.Parallel()
	w := watch(t, policyFileOf(t, "a"))
	whole := policyOf("b", "c")
	for end := len(policyOf("b")); end < len(whole); end += 40 {
		w.put(whole[:end])
		w.look(1)
		w.want("half written", "a")
	}
	w.put(whole)
	w.look(2)
	w.want("written", "b", "c")
}

// TestSymlinkSwap is how Kubernetes replaces what it mounts.
func TestSymlinkSwap(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for version, name := range map[string]string{"v1": "a", "v2": "b"} {
		must(t, os.Mkdir(filepath.Join(folder, version), 0o700))
		must(t, os.WriteFile(filepath.Join(folder, version, "policy.yaml"), []byte(policyOf(name)), 0o600))
	}
	must(t, os.Symlink("v1", filepath.Join(folder, "..data")))
	must(t, os.Symlink("..data/policy.yaml", filepath.Join(folder, "policy.yaml")))
	w := watch(t, filepath.Join(folder, "policy.yaml"))
	must(t, os.Symlink("v2", filepath.Join(folder, "..new")))
	must(t, os.Rename(filepath.Join(folder, "..new"), filepath.Join(folder, "..data")))
	w.look(2)
	w.want("swapped", "b")
}

// TestLimitersSurvive: a reload gives no caller a fresh burst, and new limits
// hold at once.
func TestLimitersSurvive(t *testing.T) {
	t.Parallel()
	w := watch(t, policyFileOf(t, "a"))
	limits := func(text string) string { return policyOf("a") + "    limits: " + text + "\n" }
	w.put(limits("{requests_per_second: 0.001, burst: 2, concurrent: 2}"))
	w.look(2)
	for i, want := range []bool{true, true, false} {
		if _, ok := w.Current().Limiter("a").Start(Single); ok != want {
			t.Fatalf("call %d: %t", i, ok)
		}
	}
	w.put(limits("{requests_per_second: 0.001, burst: 2, concurrent: 5}"))
	w.look(2)
	if wait, ok := w.Current().Limiter("a").Start(Single); ok || wait < time.Minute {
		t.Errorf("a reload gave another call, or %s to wait", wait)
	}
	if w.Current().Limiter("b") != nil {
		t.Error("a limiter of nobody")
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for _, path := range []string{filepath.Join(folder, "none.yaml"), folder} {
		if _, err := Open(File{Path: path, MaxBytes: 4 << 20}, rules(t), slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
