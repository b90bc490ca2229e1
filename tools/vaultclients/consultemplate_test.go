package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// buildConsulTemplate builds the binary that tools/consultemplate pins.
//
//nolint:gochecknoglobals // A value that is computed once.
var buildConsulTemplate = sync.OnceValues(func() (string, error) {
	binary := filepath.Join(bed.folder, "consul-template")
	build := exec.Command("go", "build", "-C", filepath.Join("..", "consultemplate"), "-o", binary, "github.com/hashicorp/consul-template") //nolint:noctx // The limit of the test is enough.
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build consul-template: %w\n%s", err, out)
	}
	return binary, nil
})

// rendered runs consul-template with a template of one line, until the test ends. The
// channel has each line that it renders.
func rendered(t *testing.T, token, template string) <-chan string {
	t.Helper()
	binary, err := buildConsulTemplate()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	config, target := filepath.Join(folder, "config.hcl"), filepath.Join(folder, "key")
	text := fmt.Sprintf(`
vault {
  address     = %q
  token       = %q
  renew_token = false
}
template {
  contents    = %q
  destination = %q
  perms       = 0600
  exec {
    command = ["cat", %q]
  }
}
`, bed.url, token, template+"\n", target, target)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var logs bytes.Buffer
	run := exec.Command(binary, "-config", config, "-log-level", "trace") //nolint:noctx,gosec // The test ends it.
	run.Stderr = &logs
	run.Env = []string{"PATH=" + os.Getenv("PATH")}
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
			lines <- scanner.Text()
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
			if line != from && line != "" {
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
	lines := rendered(t, bed.tokens["ann"], `{{ with secret "openai/creds/brief" }}{{ .Data.api_key }}{{ end }}`)
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
	lines := rendered(t, bed.tokens["bob"], `{{ with secret "openai/static-creds/site" }}{{ .Data.api_key }}{{ end }}`)
	first := next(t, lines, "")
	if !bed.sandbox.KeyAlive(first) {
		t.Fatal("the key that was rendered does not work")
	}
	if second := next(t, lines, first); !bed.sandbox.KeyAlive(first) || !bed.sandbox.KeyAlive(second) {
		t.Errorf("after the rotation the first key lives: %t, the second: %t", bed.sandbox.KeyAlive(first), bed.sandbox.KeyAlive(second))
	}
}
