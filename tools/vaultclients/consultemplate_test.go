package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// buildConsulTemplate builds the binary that tools/consultemplate pins.
var buildConsulTemplate = sync.OnceValues(func() (string, error) {
	binary := filepath.Join(bed.folder, "consul-template")
	build := exec.Command("go", "build", "-C", filepath.Join("..", "consultemplate"), "-o", binary, "github.com/hashicorp/consul-template")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build consul-template: %w\n%s", err, out)
	}
	return binary, nil
})

// examples has the configuration that docs/vault.md speaks of.
const examples = "../../examples/leases/"

// rendered runs consul-template as the example does, with a template for the role of the
// test, until the test ends. The channel has each key that it renders.
func rendered(t *testing.T, token, role string) <-chan string {
	t.Helper()
	binary, err := buildConsulTemplate()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	config, source, target := filepath.Join(folder, "config.hcl"), filepath.Join(folder, "source"), filepath.Join(folder, "key.env")
	for from, changed := range map[string]struct {
		to      string
		changes *strings.Replacer
	}{
		"key.env.ctmpl": {source, strings.NewReplacer("openai/creds/search-batch", role)},
		"consul-template.hcl": {config, strings.NewReplacer("https://gateway.example.org:8200", bed.url, "/etc/search-batch/key.env.ctmpl", source,
			"/run/search-batch/key.env", target, `"systemctl", "restart", "search-batch"`, fmt.Sprintf(`"cat", %q`, target))},
	} {
		text, err := os.ReadFile(examples + from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(changed.to, []byte(changed.changes.Replace(string(text))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var logs bytes.Buffer
	run := exec.Command(binary, "-config", config, "-log-level", "trace") //nolint:noctx // The test ends it.
	run.Stderr = &logs
	run.Env = []string{"PATH=" + os.Getenv("PATH"), "VAULT_TOKEN=" + token}
	out, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	lines, read := make(chan string, 16), make(chan struct{})
	go func() {
		defer close(read)
		defer close(lines)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			if key, ok := strings.CutPrefix(scanner.Text(), "OPENAI_API_KEY="); ok {
				lines <- key
			}
		}
	}()
	t.Cleanup(func() {
		_ = run.Process.Signal(os.Interrupt) // The signal that it takes for its end; it may have ended.
		kill := time.AfterFunc(patience, func() { _ = run.Process.Kill() })
		defer kill.Stop()
		<-read
		_ = run.Wait() // How it ends says nothing.
		if t.Failed() {
			t.Logf("consul-template: %s", logs.Bytes())
		}
	})
	return lines
}

// next waits for the next line that differs from one.
func next(t *testing.T, lines <-chan string, from string) string {
	t.Helper()
	limit := time.After(2 * time.Minute)
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				t.Fatal("consul-template has ended")
			}
			if line != from {
				return line
			}
		case <-limit:
			t.Fatal("consul-template renders nothing else")
		}
	}
}

// TestConsulTemplateLease: it renders a key, renews the lease, and renders another key
// when the lease cannot be renewed any further. The first works until then.
func TestConsulTemplateLease(t *testing.T) {
	t.Parallel()
	lines := rendered(t, bed.tokens["ann"], "openai/creds/brief")
	first := next(t, lines, "")
	made, ok := bed.sandbox.Key(first)
	if !ok || !made.Alive || made.ExpiresAt == nil {
		t.Fatalf("the key that was rendered: %+v, %t", made, ok)
	}
	second := next(t, lines, first)
	renewed, _ := bed.sandbox.Key(first)
	if !renewed.Alive || *renewed.ExpiresAt <= *made.ExpiresAt {
		t.Errorf("the first key lives: %t, until %d, and at first until %d", renewed.Alive, *renewed.ExpiresAt, *made.ExpiresAt)
	}
	if !bed.sandbox.KeyAlive(second) {
		t.Error("the second key does not work")
	}
}

// TestConsulTemplateStaticRole: it renders the key of a static role, and the next one
// after the rotation. The first works until then.
func TestConsulTemplateStaticRole(t *testing.T) {
	t.Parallel()
	lines := rendered(t, bed.tokens["bob"], "openai/static-creds/site")
	first := next(t, lines, "")
	if !bed.sandbox.KeyAlive(first) {
		t.Fatal("the key that was rendered does not work")
	}
	if second := next(t, lines, first); !bed.sandbox.KeyAlive(first) || !bed.sandbox.KeyAlive(second) {
		t.Errorf("after the rotation the first key lives: %t, the second: %t", bed.sandbox.KeyAlive(first), bed.sandbox.KeyAlive(second))
	}
}
