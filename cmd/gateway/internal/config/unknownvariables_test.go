package config

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUnknownVariables(t *testing.T) {
	t.Parallel()
	c := New(defaults())
	c.Upstream.AdminKey.Env = "GATEWAY_KEY"
	c.Cache.RedisPassword.Env = "GATEWAY_REDIS_SECRET"
	c.Cache.EncryptionKeys = []SecretRef{{Env: "GATEWAY_NEW"}, {Env: "GATEWAY_OLD"}}
	c.Telemetry.OTLPHeaders = []Header{{Name: "a", Env: "GATEWAY_HEADER"}}
	environ := []string{
		"GATEWAY_KEY=x", "GATEWAY_REDIS_SECRET=x", "GATEWAY_NEW=x", "GATEWAY_OLD=x", "GATEWAY_HEADER=x",
		"GATEWAY_UPSTREAM_BASE_URL=http://a", "GATEWAY_LIMITS_CONNECTIONS=1",
		"PATH=GATEWAY_NOT=x", "MY_GATEWAY_NOT=x", "GATEWAYS_NOT=x",
		// Of Services called gateway and gateway-ops.
		"GATEWAY_SERVICE_HOST=x", "GATEWAY_SERVICE_PORT=x", "GATEWAY_SERVICE_PORT_CALLERS=x", "GATEWAY_PORT=x", "GATEWAY_PORT_8080_TCP=x",
		"GATEWAY_PORT_8080_TCP_PROTO=x", "GATEWAY_PORT_8080_TCP_PORT=x", "GATEWAY_PORT_8080_TCP_ADDR=x", "GATEWAY_PORT_53_UDP=x", "GATEWAY_PORT_53_UDP_ADDR=x",
		"GATEWAY_OPS_SERVICE_HOST=x", "GATEWAY_OPS_SERVICE_PORT_HTTP=x", "GATEWAY_OPS_PORT=x", "GATEWAY_OPS_PORT_8081_TCP_ADDR=x",
		"GATEWAY_UPSTREM_BASE_URL=canary", "GATEWAY_POLICI=canary", "GATEWAY_=canary", "GATEWAY_PORTS=canary", "GATEWAY_POLICI=canary",
		"GATEWAY_PORT_8080_TLS=canary", "GATEWAY_SERVICE_NAME=canary",
	}
	want := UnknownVariables{"GATEWAY_", "GATEWAY_POLICI", "GATEWAY_PORTS", "GATEWAY_PORT_8080_TLS", "GATEWAY_SERVICE_NAME", "GATEWAY_UPSTREM_BASE_URL"}
	if diff := cmp.Diff(want, c.Unknown(environ)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestNoKeyLooksLikeAServiceLink: no key ends like the variables of a Service, so a
// misspelt key is always reported.
func TestNoKeyLooksLikeAServiceLink(t *testing.T) {
	t.Parallel()
	for _, s := range new(Config).settings() {
		misspelled := strings.Replace(s.variable(), "GATEWAY_", "GATEWAY_X", 1)
		if got := new(Config).Unknown([]string{misspelled + "=x"}); len(got) != 1 {
			t.Errorf("%s would be ignored in silence", misspelled)
		}
	}
}

// TestVariablesOfSecretsAreKnown: a variable that holds a secret is not unknown,
// whichever key names it.
func TestVariablesOfSecretsAreKnown(t *testing.T) {
	t.Parallel()
	var c Config
	c.Upstream.AdminKey.Env, c.Cache.RedisPassword.Env, c.Audit.HMACKey.Env, c.Console.OIDC.ClientSecret.Env = "a", "a", "a", "a"
	c.Cache.EncryptionKeys, c.Telemetry.OTLPHeaders = []SecretRef{{Env: "a"}}, []Header{{Env: "a"}}
	keys := 0
	for _, k := range Reference(defaults()) {
		if strings.HasSuffix(k.Key, ".env") {
			keys++
		}
	}
	if got := c.variables(); len(got) != keys || slices.Contains(got, "") {
		t.Errorf("%d keys say env, and of %d it is known", keys, len(got))
	}
}

// TestUnknownVariablesAreBounded: the report has a bounded number of names, each of
// bounded length.
func TestUnknownVariablesAreBounded(t *testing.T) {
	t.Parallel()
	var environ []string
	for i := range 1000 {
		environ = append(environ, fmt.Sprintf("GATEWAY_%03d%s=x", i, strings.Repeat("\xff", 1000)))
	}
	var out bytes.Buffer
	new(Config).Unknown(environ).Warn(&out)
	if got := out.String(); len(got) > 2000 || !strings.HasSuffix(got, "and 990 more\n") || strings.Count(got, "GATEWAY_0") != 10 {
		t.Errorf("%d bytes: %s", len(got), got)
	}
	UnknownVariables(nil).Warn(&out)
	if out.Len() != len(out.String()) || strings.Count(out.String(), "\n") != 1 {
		t.Error("something is said of nothing")
	}
}
