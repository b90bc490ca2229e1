package config

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"slices"
	"strings"
)

// UnknownVariables are the names of environment variables that begin with GATEWAY_
// and are not keys of the config. Without a warning, a misspelt key would be
// ignored silently. Values are never reported.
type UnknownVariables []string

const (
	// maxUnknownNamed bounds the names in a report, and maxUnknownName the bytes of a
	// name.
	maxUnknownNamed = 10
	maxUnknownName  = 100

	unknownText = "environment variables that begin with GATEWAY_ are not keys of the config, and have no effect"
)

// Unknown returns the unknown variables of an environment, sorted. It knows the
// variables that the config names, as in {env: GATEWAY_KEY}, those of the commands that
// call a gateway, and those that Kubernetes sets for Services whose name begins with
// "gateway".
func (c *Config) Unknown(environ []string) UnknownVariables {
	// Commands that call a gateway read these (cmd/gateway/internal/dial).
	known := map[string]bool{"GATEWAY_ADDRESS": true, "GATEWAY_TOKEN": true, "GATEWAY_TOKEN_FILE": true}
	for _, s := range c.settings() {
		known[s.variable()] = true
	}
	for _, name := range c.variables() {
		known[name] = true
	}
	serviceLink := regexp.MustCompile(`^GATEWAY(_[A-Z0-9_]+)?_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)
	var unknown UnknownVariables
	for _, variable := range environ {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, "GATEWAY_") && !known[name] && !serviceLink.MatchString(name) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return slices.Compact(unknown)
}

// variables returns the names of the environment variables that hold secrets.
func (c *Config) variables() []string {
	names := []string{c.Upstream.AdminKey.Env, c.Cache.RedisPassword.Env, c.Audit.HMACKey.Env, c.Console.OIDC.ClientSecret.Env}
	for _, key := range c.Cache.EncryptionKeys {
		names = append(names, key.Env)
	}
	for _, header := range c.Telemetry.OTLPHeaders {
		names = append(names, header.Env)
	}
	return names
}

// named returns the names to report, and the number of the others.
func (s UnknownVariables) named() (names []string, more int) {
	for _, name := range s[:min(len(s), maxUnknownNamed)] {
		names = append(names, strings.ToValidUTF8(name[:min(len(name), maxUnknownName)], "?"))
	}
	return names, len(s) - len(names)
}

// Log logs one warning, or nothing when the list is empty.
func (s UnknownVariables) Log(ctx context.Context, logger *slog.Logger) {
	if len(s) == 0 {
		return
	}
	names, more := s.named()
	logger.WarnContext(ctx, unknownText, "variables", names, "more", more)
}

// Warn writes one line for a terminal, or nothing when the list is empty.
func (s UnknownVariables) Warn(w io.Writer) {
	names, more := s.named()
	if len(names) == 0 {
		return
	}
	text := fmt.Sprintf("gateway: warning: %s: %q", unknownText, names)
	if more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	_, _ = fmt.Fprintln(w, text) // A terminal that is gone needs no warning.
}
