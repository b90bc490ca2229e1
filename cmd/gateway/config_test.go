package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/build"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/sandbox"
)

var update = flag.Bool("update", false, "write docs/config.md anew")

const referencePage = "../../docs/config.md"

// TestReferencePage: docs/config.md lists the keys of the code.
func TestReferencePage(t *testing.T) {
	t.Parallel()
	var want bytes.Buffer
	if err := config.WriteMarkdown(&want, config.Reference(build.Defaults())); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(referencePage, want.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(referencePage)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), string(got)); diff != "" {
		t.Errorf("docs/config.md is not current; make reference writes it (-want +got):\n%s", diff)
	}
}

// TestUnknownVariablesAreReported: check reports them for a good and for a faulty
// config, and serve logs them once.
func TestUnknownVariablesAreReported(t *testing.T) {
	t.Setenv("GATEWAY_UPSTREM_BASE_URL", "https://canary.example")
	fake := httptest.NewServer(sandbox.New(sandbox.Options{Seed: 1}))
	t.Cleanup(fake.Close)
	_, policy := readersPolicy(t)
	good := "policy: " + policy + "\nlisten: 127.0.0.1:0\nops_listen: 127.0.0.1:0\nshutdown: {delay: 0s}\nupstream:\n  base_url: " + fake.URL + "\n"
	path := writeFile(t, "gateway.yaml", good+"  admin_key: {file: "+writeFile(t, "key", sandbox.DefaultAdminKey)+"}\n")
	for path, want := range map[string]int{path: 0, writeFile(t, "gateway.yaml", good): 1} {
		var out, errs bytes.Buffer
		code := run(t.Context(), []string{"check", "--config", path}, streams{&out, &errs})
		if code != want || strings.Count(errs.String(), "GATEWAY_UPSTREM_BASE_URL") != 1 || strings.Contains(errs.String(), "canary") {
			t.Errorf("exit code %d, and said %s", code, &errs)
		}
	}
	const text = "environment variables that begin with GATEWAY_ are not keys of the config, and have no effect"
	c := start(t, "serve", "--config", path)
	var said struct {
		Level     string   `json:"level"`
		Variables []string `json:"variables"`
		More      int      `json:"more"`
	}
	if err := json.Unmarshal([]byte(c.err.line(t, c.ended, text)), &said); err != nil {
		t.Fatal(err)
	}
	c.err.line(t, c.ended, "ops_listen")
	if !slices.Contains(said.Variables, "GATEWAY_UPSTREM_BASE_URL") || said.Level != "WARN" || strings.Contains(c.err.String(), "canary") || strings.Count(c.err.String(), text) != 1 {
		t.Errorf("said %s", c.err)
	}
	c.stop(t)
}
