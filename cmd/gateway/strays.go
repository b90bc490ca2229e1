package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
)

// strayVariables are the names of environment variables that look like keys of
// the config, and are none: a misspelled one would be ignored in silence. Values
// are in none of it.
type strayVariables []string

const (
	// maxStraysNamed is how many are named, and maxStrayName how many bytes of each.
	maxStraysNamed = 10
	maxStrayName   = 100

	strayText = "environment variables that begin with GATEWAY_ are no key of the config, and have no effect"
)

// openConfig reads the config of a command, and finds what of the environment was
// meant for it and is not read. Where the config is at fault, it says the latter
// at once: that may be why.
func openConfig(path string, std streams) (config, strayVariables, error) {
	conf, err := readConfig(path, os.LookupEnv)
	if err != nil {
		return conf, nil, err
	}
	strays := conf.strays(os.Environ())
	if err := conf.check(); err != nil {
		strays.say(std.err)
		return conf, nil, err
	}
	return conf, strays, nil
}

// strays finds them in an environment, sorted. Not among them is what the config
// itself names, as in {env: GATEWAY_KEY}, and what Kubernetes sets for each Service
// whose name begins with "gateway".
func (c *config) strays(environ []string) strayVariables {
	known := map[string]bool{}
	for _, s := range c.settings() {
		known[s.variable()] = true
	}
	for _, name := range c.variables() {
		known[name] = true
	}
	serviceLink := regexp.MustCompile(`^GATEWAY(_[A-Z0-9_]+)?_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)
	var strays strayVariables
	for _, variable := range environ {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, "GATEWAY_") && !known[name] && !serviceLink.MatchString(name) {
			strays = append(strays, name)
		}
	}
	slices.Sort(strays)
	return slices.Compact(strays)
}

// variables are the names of the environment variables in which the config says
// that a secret is.
func (c *config) variables() []string {
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
func (s strayVariables) named() (names []string, more int) {
	for _, name := range s[:min(len(s), maxStraysNamed)] {
		names = append(names, strings.ToValidUTF8(name[:min(len(name), maxStrayName)], "?"))
	}
	return names, len(s) - len(names)
}

// attributes say them in a log.
func (s strayVariables) attributes() []any {
	names, more := s.named()
	return []any{slog.Any("variables", names), slog.Int("more", more)}
}

// say tells them to who types commands; nothing if there are none.
func (s strayVariables) say(w io.Writer) {
	names, more := s.named()
	if len(names) == 0 {
		return
	}
	text := fmt.Sprintf("gateway: warning: %s: %q", strayText, names)
	if more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	_, _ = fmt.Fprintln(w, text) // As in report.
}
