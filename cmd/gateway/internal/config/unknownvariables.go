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

// UnknownVariables are the names of environment variables that look like keys of
// the config, and are none: a misspelled one would be ignored in silence. Values
// are in none of it.
type UnknownVariables []string

const (
	// maxUnknownNamed is how many are named, and maxUnknownName how many bytes of each.
	maxUnknownNamed = 10
	maxUnknownName  = 100

	unknownText = "environment variables that begin with GATEWAY_ are no key of the config, and have no effect"
)

// Unknown finds them in an environment, sorted. Not among them is what the config
// itself names, as in {env: GATEWAY_KEY}, and what Kubernetes sets for each Service
// whose name begins with "gateway".
func (c *Config) Unknown(environ []string) UnknownVariables {
	known := map[string]bool{}
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

// variables are the names of the environment variables in which the config says
// that a secret is.
func (c *Config) variables() []string {
	names := []string{c.Upstream.AdminKey.Env, c.Cache.RedisPassword.Env}
	for _, key := range c.Cache.EncryptionKeys {
		names = append(names, key.Env)
	}
	for _, header := range c.Telemetry.OTLPHeaders {
		names = append(names, header.Env)
	}
	return names
}

// named are those that are said, and how many more there are.
func (s UnknownVariables) named() (names []string, more int) {
	for _, name := range s[:min(len(s), maxUnknownNamed)] {
		names = append(names, strings.ToValidUTF8(name[:min(len(name), maxUnknownName)], "?"))
	}
	return names, len(s) - len(names)
}

// Log writes one warning, or nothing when there are none.
func (s UnknownVariables) Log(ctx context.Context, logger *slog.Logger) {
	if len(s) == 0 {
		return
	}
	names, more := s.named()
	logger.WarnContext(ctx, unknownText, "variables", names, "more", more)
}

// Warn tells them to who types commands; nothing if there are none.
func (s UnknownVariables) Warn(w io.Writer) {
	names, more := s.named()
	if len(names) == 0 {
		return
	}
	text := fmt.Sprintf("gateway: warning: %s: %q", unknownText, names)
	if more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	_, _ = fmt.Fprintln(w, text) // As in report.
}
