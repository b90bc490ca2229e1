package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/build"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
)

// runSchema runs the command, and returns its exit code and what it complains of.
func runSchema(t *testing.T, args ...string) (code int, complaint string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), append([]string{"schema"}, args...), streams{&out, &errs})
	return code, errs.String()
}

func TestSchema(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "out")
	if code, complaint := runSchema(t, "-o", folder); code != 0 {
		t.Fatalf("exit code %d: %s", code, complaint)
	}
	// Every RPC that is served is in it.
	catalog, err := build.LoadCatalog(config.Upstream{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(folder, "openapi.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range catalog.Mirrored() {
		if !strings.Contains(string(text), `"x-rpc": "`+strings.TrimPrefix(method.Procedure, "/")+`"`) {
			t.Errorf("%s is not described", method.Name())
		}
	}
	if code, complaint := runSchema(t, "-o", folder); code != 1 || !strings.Contains(complaint, folder+" is not empty; --force") {
		t.Errorf("exit code %d: %s", code, complaint)
	}
	if code, complaint := runSchema(t, "-o", folder, "--force"); code != 0 {
		t.Errorf("exit code %d: %s", code, complaint)
	}
}

func TestSchemaWithoutAFolder(t *testing.T) {
	t.Parallel()
	if code, complaint := runSchema(t); code != 2 || !strings.Contains(complaint, "--output=DIR") {
		t.Errorf("exit code %d: %s", code, complaint)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, complaint := runSchema(t, "-o", file); code != 1 || !strings.Contains(complaint, "flag --output: ") || !strings.Contains(complaint, file) {
		t.Errorf("exit code %d: %s", code, complaint)
	}
}

// An error of the REST door has the body that is described, and no header that is
// not.
func TestSchemaDescribesTheDoorsErrors(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "out")
	if code, complaint := runSchema(t, "-o", folder); code != 0 {
		t.Fatalf("exit code %d: %s", code, complaint)
	}
	text, err := os.ReadFile(filepath.Join(folder, "openapi.json"))
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Components struct {
			Responses map[string]struct {
				Headers map[string]any `json:"headers"`
			} `json:"responses"`
			Schemas map[string]struct {
				Properties struct {
					Error struct {
						Properties map[string]any `json:"properties"`
						Required   []string       `json:"required"`
					} `json:"error"`
				} `json:"properties"`
			} `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	body, headers := document.Components.Schemas["GatewayError"].Properties.Error, document.Components.Responses["Refused"].Headers

	demo := start(t, "demo", "--listen", "127.0.0.1:0")
	defer demo.stop(t)
	_, token, _ := strings.Cut(demo.out.line(t, demo.ended, "AUDITOR="), "AUDITOR=")
	_, address, _ := strings.Cut(demo.out.line(t, demo.ended, "in front of it on"), "in front of it on ")
	address = strings.TrimSuffix(strings.TrimSpace(address), ".")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address+"/v1/organization/projects", strings.NewReader(`{"name": "mine"}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(token))
	request.Header.Set("Content-Type", "application/json")
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport, Timeout: patience}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		Error map[string]any `json:"error"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || response.StatusCode != http.StatusForbidden {
		t.Fatalf("status %d, error %v", response.StatusCode, err)
	}
	for name := range answer.Error {
		if body.Properties[name] == nil {
			t.Errorf("member %q is not described", name)
		}
	}
	for _, name := range body.Required {
		if _, ok := answer.Error[name]; !ok {
			t.Errorf("member %q is missing", name)
		}
	}
	for name := range response.Header {
		known := []string{"Content-Type", "Content-Length", "Date", "Vary"}
		if headers[name] == nil && !slices.Contains(known, name) {
			t.Errorf("header %q is not described", name)
		}
	}
}

// The page shows the program that `make stubs` runs.
func TestClientsPageShowsTheProgram(t *testing.T) {
	t.Parallel()
	program, err := os.ReadFile(filepath.Join("..", "..", "tools", "stubs", "python", "rest.py"))
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "clients.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(page, program) {
		t.Error("docs/clients.md does not show tools/stubs/python/rest.py as it is")
	}
}

// TestClientsPageShowsThePackages: the page begins with the code of the packages' own
// pages, which their builds compile or run.
func TestClientsPageShowsThePackages(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	page, err := os.ReadFile(filepath.Join(root, "docs", "clients.md"))
	if err != nil {
		t.Fatal(err)
	}
	for folder, fence := range map[string]string{"python": "python", "typescript": "ts", "java": "java", "rust": "rust", "go": "go"} {
		readme, err := os.ReadFile(filepath.Join(root, "clients", folder, "README.md"))
		if err != nil {
			t.Fatal(err)
		}
		_, code, _ := bytes.Cut(page, []byte("\n```"+fence+"\n"))
		code, _, found := bytes.Cut(code, []byte("```\n"))
		if !found || len(code) == 0 || !bytes.Contains(readme, code) {
			t.Errorf("clients/%s/README.md does not have the code that docs/clients.md shows first for it:\n%s", folder, code)
		}
	}
}
