package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func environment(variables map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := variables[name]
		return value, ok
	}
}

const wholeConfig = `listen: 127.0.0.1:1
ops_listen: "[::1]:2"
upstream:
  base_url: http://127.0.0.1:9999/v1
  admin_key: {env: SOME_KEY}
`

func TestLoadConfig(t *testing.T) {
	t.Parallel()
	whole := config{Listen: "127.0.0.1:1", OpsListen: "[::1]:2", Upstream: upstreamConfig{
		BaseURL: "http://127.0.0.1:9999/v1", AdminKey: keyConfig{Env: "SOME_KEY"},
	}}
	withDefaults := defaultConfig()
	withDefaults.Upstream.AdminKey.File = "/run/key"
	everyVariable := config{Listen: "localhost:3", OpsListen: "127.0.0.2:4", Upstream: upstreamConfig{
		BaseURL: "http://b", AdminKey: keyConfig{File: "/key"},
	}}
	tests := []struct {
		name, file string
		env        map[string]string
		want       config
	}{
		{"file", wholeConfig, nil, whole},
		{"part of a file", "upstream: {admin_key: {file: /run/key}}", nil, withDefaults},
		{"empty file", "", map[string]string{"GATEWAY_UPSTREAM_ADMIN_KEY_FILE": "/run/key"}, withDefaults},
		{"file of a comment", "# nothing yet\n", map[string]string{"GATEWAY_UPSTREAM_ADMIN_KEY_FILE": "/run/key"}, withDefaults},
		{"environment wins", wholeConfig, map[string]string{
			"GATEWAY_LISTEN": "localhost:3", "GATEWAY_OPS_LISTEN": "127.0.0.2:4", "GATEWAY_UPSTREAM_BASE_URL": "http://b",
			"GATEWAY_UPSTREAM_ADMIN_KEY_ENV": "", "GATEWAY_UPSTREAM_ADMIN_KEY_FILE": "/key",
		}, everyVariable},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := loadConfig(writeFile(t, "gateway.yaml", test.file), environment(test.env))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	t.Run("no file", func(t *testing.T) {
		t.Parallel()
		got, err := loadConfig("", environment(map[string]string{"GATEWAY_UPSTREAM_ADMIN_KEY_FILE": "/run/key"}))
		if err != nil || got != withDefaults {
			t.Errorf("config %+v, error %v", got, err)
		}
	})
}

func TestLoadConfigErrors(t *testing.T) {
	t.Parallel()
	const key = "upstream: {admin_key: {env: K}}\n"
	tests := []struct {
		name, file string
		want       []string
	}{
		{"unknown key", key + "lissten: 127.0.0.1:1\n", []string{"gateway.yaml", "line 2", "lissten"}},
		{"unknown key below", "upstream:\n  admin_key:\n    env: K\n    value: sk-1\n", []string{"gateway.yaml", "line 4", "value"}},
		{"key twice", key + "listen: a:1\nlisten: b:2\n", []string{"gateway.yaml", "line 3", "listen"}},
		{"wrong type", "listen: [a, b]\n", []string{"gateway.yaml", "line 1"}},
		{"no YAML", "listen: \"\n", []string{"gateway.yaml", "line"}},
		{"no admin key", "", []string{"upstream.admin_key", "exactly one"}},
		{"two admin keys", "upstream: {admin_key: {env: K, file: /k}}", []string{"upstream.admin_key", "exactly one"}},
		{"listen for everybody", key + "listen: 0.0.0.0:8080", []string{"config key listen:", "loopback"}},
		{"listen for everybody, spelled as nothing", key + "listen: :8080", []string{"config key listen:", "loopback"}},
		{"listen for everybody over IPv6", key + "listen: '[::]:8080'", []string{"config key listen:", "loopback"}},
		{"listen on a name", key + "listen: example.com:8080", []string{"config key listen:", "loopback"}},
		{"listen without port", key + "listen: 127.0.0.1", []string{"config key listen:", "host:port"}},
		{"operations for everybody", key + "ops_listen: 192.0.2.1:8081", []string{"config key ops_listen:", "loopback"}},
		{"all at once", "listen: :1\nops_listen: :2\n", []string{"config key listen:", "config key ops_listen:", "upstream.admin_key"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := loadConfig(writeFile(t, "gateway.yaml", test.file), environment(nil))
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
		})
	}
	t.Run("no such file", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "nobody.yaml")
		if _, err := loadConfig(path, environment(nil)); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("error %v", err)
		}
	})
}
