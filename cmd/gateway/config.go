package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/admin-gateway/admin-gateway/upstream"
)

// config is gateway.yaml. Every key is also an environment variable, which
// wins: upstream.base_url is GATEWAY_UPSTREAM_BASE_URL.
type config struct {
	Listen    string         `yaml:"listen"`
	OpsListen string         `yaml:"ops_listen"`
	Upstream  upstreamConfig `yaml:"upstream"`
}

type upstreamConfig struct {
	BaseURL  string    `yaml:"base_url"`
	AdminKey keyConfig `yaml:"admin_key"`
}

// keyConfig says where a secret is, never what it is.
type keyConfig struct {
	Env  string `yaml:"env"`
	File string `yaml:"file"`
}

func defaultConfig() config {
	return config{
		Listen:    "127.0.0.1:8080",
		OpsListen: "127.0.0.1:8081",
		Upstream:  upstreamConfig{BaseURL: "https://api.openai.com/v1"},
	}
}

// settings lists every key with its value.
func (c *config) settings() []setting {
	return []setting{
		{"listen", &c.Listen},
		{"ops_listen", &c.OpsListen},
		{"upstream.base_url", &c.Upstream.BaseURL},
		{"upstream.admin_key.env", &c.Upstream.AdminKey.Env},
		{"upstream.admin_key.file", &c.Upstream.AdminKey.File},
	}
}

type setting struct {
	key   string
	value *string
}

// variable is the setting's name in the environment.
func (s setting) variable() string {
	return "GATEWAY_" + strings.ToUpper(strings.ReplaceAll(s.key, ".", "_"))
}

// loadConfig reads a file (none when the path is empty), then the environment.
// An error names the file and line, or the key.
func loadConfig(path string, lookup func(string) (string, bool)) (config, error) {
	c := defaultConfig()
	if path != "" {
		content, err := os.ReadFile(path)
		if err != nil {
			return c, fmt.Errorf("config: %w", err)
		}
		decoder := yaml.NewDecoder(bytes.NewReader(content))
		decoder.KnownFields(true)
		if err := decoder.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
			return c, fmt.Errorf("config %s: %w", path, err)
		}
	}
	for _, s := range c.settings() {
		if value, ok := lookup(s.variable()); ok {
			*s.value = value
		}
	}
	return c, c.check()
}

func (c *config) check() error {
	var faults []error
	for _, s := range []setting{{"listen", &c.Listen}, {"ops_listen", &c.OpsListen}} {
		if err := checkLoopback(*s.value); err != nil {
			faults = append(faults, fmt.Errorf("config key %s: %w", s.key, err))
		}
	}
	if key := c.Upstream.AdminKey; (key.Env == "") == (key.File == "") {
		faults = append(faults, errors.New("config key upstream.admin_key: exactly one of env and file must say where the admin key is"))
	}
	return errors.Join(faults...)
}

// checkLoopback keeps the gateway to its own machine for as long as it cannot
// tell callers apart: whoever reaches it holds the admin key's power.
func checkLoopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q is no host:port", address)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%q is not a loopback address; without callers and their policy this build serves its own machine only", address)
	}
	return nil
}

func (k keyConfig) source(logger *slog.Logger) upstream.KeySource {
	if k.File != "" {
		return upstream.FromFile(k.File, logger)
	}
	return upstream.FromEnv(k.Env)
}
