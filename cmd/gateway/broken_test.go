package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/build"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/internal/racing"
	"github.com/admin-gateway/admin-gateway/sandbox"
)

// broken are values that no gateway can be made of, by their keys, and other keys that they
// go with. Those that are not here are read as another type, or have any value.
var broken = map[string][]struct{ value, with string }{
	"listen":                         {{"nowhere", ""}, {"127.0.0.1:65536", ""}, {"127.0.0.1:http-alt-nonsense", ""}},
	"grpc_listen":                    {{"nowhere", ""}, {"127.0.0.1:8080", "listen: 127.0.0.1:8080"}},
	"ops_listen":                     {{"''", ""}, {"127.0.0.1:-1", ""}},
	"vault_listen":                   {{"127.0.0.1", ""}},
	"console_listen":                 {{"1:2:3", ""}},
	"console.url":                    {{"ftp://a", ""}},
	"console.session":                {{"1s", ""}},
	"console.idle":                   {{"1s", ""}},
	"console.oidc.issuer":            {{"'https://nobody.example'", "console.url: https://console.example"}},
	"console.oidc.client_id":         {{"a", ""}},
	"console.oidc.client_secret.env": {{"A", ""}, {"A", "console.oidc.client_secret.file: /b"}},
	"console.oidc.scopes":            {{"[profile]", ""}},
	"vault.mount":                    {{"sys", ""}, {"a b", ""}},
	"vault.logins":                   {{"[token]", ""}},
	"tls.cert_file":                  {{"/c", ""}},
	"tls.key_file":                   {{"/k", ""}},
	"tls.client_ca_file":             {{"/c", ""}},
	"tls.spiffe_socket":              {{"/run/agent.sock", ""}, {"unix:relative", ""}},
	"tls.trust_domains":              {{"[a.example]", ""}, {"['A B']", "tls.spiffe_socket: unix:///run/agent.sock"}},
	"upstream.base_url":              {{"api.example", ""}, {"http://api.example/v1", ""}, {"'https://a:b@api.example/v1'", ""}, {"'https://api.example/v1?a=b'", ""}},
	"upstream.answers":               {{"some", ""}},
	"upstream.id_characters":         {{"' '", ""}},
	"upstream.budget.organization.calls_per_minute": {{"-1", ""}},
	"upstream.budget.organization.burst":            {{"-1", ""}},
	"upstream.budget.default.calls_per_minute":      {{"-1", ""}},
	"upstream.budget.default.burst":                 {{"-1", ""}},
	"upstream.budget.buckets":                       {{"[{name: nothing, calls_per_minute: 1, burst: 1}]", ""}, {"[{name: a, methods: [nope], calls_per_minute: 1, burst: 1}]", ""}},
	"upstream.budget.replica_share":                 {{"2", ""}, {"-1", ""}},
	"upstream.budget.mint_share":                    {{"2", ""}},
	"authn.issuers":                                 {{"[{url: 'http://issuer.example', audiences: [a], algorithms: [RS256]}]", ""}, {"[{url: 'https://issuer.example', audiences: [a], algorithms: [HS256]}]", ""}, {"[{url: nowhere}]", ""}},
	"cache.memory":                                  {{"-1", ""}, {"1", ""}},
	"cache.redis_url":                               {{"http://redis", ""}, {"'redis://redis/one'", ""}, {"'redis+sentinel://redis'", ""}, {"'redis://redis?x=y'", ""}},
	"cache.redis_password.file":                     {{"/p", ""}},
	"cache.redis_ca_file":                           {{"/c", "cache.redis_url: redis://127.0.0.1:1"}},
	"cache.redis_cert_file":                         {{"/c", "cache.redis_url: rediss://127.0.0.1:1"}},
	"cache.redis_key_file":                          {{"/k", "cache.redis_url: rediss://127.0.0.1:1"}},
	"cache.encryption_keys":                         {{"[{env: A}]", ""}, {"[{env: A, file: b}]", "cache.redis_url: redis://127.0.0.1:1"}},
	"cache.lives":                                   {{"[{of: Nothing, fresh: 1s}]", ""}},
	"cache.jitter":                                  {{"2", ""}},
	"policy":                                        {{"''", ""}},
	"ops_tls.cert_file":                             {{"/c", ""}},
	"ops_tls.key_file":                              {{"/k", ""}},
	"ops_tls.client_ca_file":                        {{"/c", ""}},
	"cors.allowed_origins":                          {{"['https://a.example/']", ""}},
	"cors.allow_credentials":                        {{"true", ""}},
	"cors.max_age":                                  {{"48h", ""}},
	"limits.header_bytes":                           {{"1", ""}},
	"limits.request_bytes":                          {{"1", ""}},
	"limits.read_header_timeout":                    {{"1h", ""}},
	"limits.read_timeout":                           {{"1h", ""}},
	"limits.idle_timeout":                           {{"0s", ""}},
	"limits.longest_call":                           {{"1h", ""}},
	"limits.concurrent_streams":                     {{"0", ""}},
	"limits.connections":                            {{"1", ""}},
	"limits.connection_age":                         {{"0s", ""}},
	"limits.policy_bytes":                           {{"1", ""}},
	"shutdown.delay":                                {{"1h", ""}},
	"shutdown.timeout":                              {{"1h", ""}},
	"inventory.concurrency":                         {{"-1", ""}},
	"inventory.longest_stream":                      {{"1ms", ""}},
	"inventory.outermost_items":                     {{"-1", ""}},
	"leases.organization":                           {{"acme", ""}},
	"leases.path":                                   {{"/l", "cache.redis_url: redis://127.0.0.1:1"}},
	"leases.sweep_interval":                         {{"1s", ""}},
	"leases.keep_ended":                             {{"1s", ""}},
	"log.level":                                     {{"loud", ""}},
	"log.calls":                                     {{"some", ""}},
	"log.slow":                                      {{"-1s", ""}},
	"telemetry.otlp_endpoint":                       {{"nowhere", ""}, {"'http://collector:4318'", ""}, {"'https://a:b@collector'", ""}},
	"telemetry.otlp_insecure":                       {{"true", ""}},
	"telemetry.otlp_headers":                        {{"[{name: a}]", "telemetry.otlp_endpoint: collector:4317"}},
	"telemetry.sample_ratio":                        {{"2", ""}},
	"telemetry.service_name":                        {{"''", "telemetry.otlp_endpoint: collector:4317"}},
	"telemetry.send_traceparent":                    {{"true", ""}},
	"audit.path":                                    {{"'tcp://'", ""}, {"'http://collector'", ""}},
	"audit.memory":                                  {{"-1", ""}},
	"audit.required":                                {{"some", ""}},
	"audit.sync":                                    {{"true", ""}},
	"audit.hmac_key.env":                            {{"A", "audit.hmac_key.file: /b"}},
	"audit.trusted_proxies":                         {{"[10.0.0.1/8]", ""}},
	"audit.forwarded_header":                        {{"Via", ""}},
}

// anyValue are keys of which every value of their type can be served with.
var anyValue = []string{
	"reflection", "telemetry.stages",
	// Of these, the other half of the pair is tried.
	"audit.hmac_key.file", "cache.redis_password.env", "console.oidc.client_secret.file", "upstream.admin_key.env", "upstream.admin_key.file",
}

// configText is a config with values for keys, in the form of a file.
func configText(values map[string]string) string {
	type tree map[string]any
	root := tree{}
	for key, value := range values {
		at, parts := root, strings.Split(key, ".")
		for _, part := range parts[:len(parts)-1] {
			if _, ok := at[part]; !ok {
				at[part] = tree{}
			}
			at, _ = at[part].(tree)
		}
		at[parts[len(parts)-1]] = value
	}
	var write func(t tree, indent string) string
	write = func(t tree, indent string) (text string) {
		for key, value := range t {
			if below, ok := value.(tree); ok {
				text += indent + key + ":\n" + write(below, indent+"  ")
			} else {
				text += fmt.Sprintf("%s%s: %s\n", indent, key, value)
			}
		}
		return text
	}
	return write(root, "")
}

// TestCheckRefusesWhatServeRefuses: of every key, a value that nothing can be made of is
// refused by check, with file, line and column, and by serve in the same words, before it
// looks at any file or server.
func TestCheckRefusesWhatServeRefuses(t *testing.T) {
	t.Parallel()
	_, policy := readersPolicy(t)
	key := writeFile(t, "key", sandbox.DefaultAdminKey)
	placed := regexp.MustCompile(`gateway\.yaml:\d+:\d+: `)
	for broke, values := range broken {
		for i, each := range values {
			if racing.Spares(3) {
				continue
			}
			t.Run(fmt.Sprintf("%s/%d", broke, i), func(t *testing.T) {
				t.Parallel()
				all := map[string]string{"policy": policy, "upstream.admin_key.file": key, "listen": "127.0.0.1:0", "ops_listen": "127.0.0.1:0", broke: each.value}
				if with, value, ok := strings.Cut(each.with, ": "); ok {
					all[with] = value
				}
				path := writeFile(t, "gateway.yaml", configText(all))
				var checked bytes.Buffer
				code := run(t.Context(), []string{"check", "--config", path}, streams{&checked, &checked})
				if says := checked.String(); code != 1 || !placed.MatchString(says) {
					t.Errorf("check: %d %s", code, says)
				}
				served := start(t, "serve", "--config", path)
				select {
				case code := <-served.ended:
					if says := served.err.String(); code != 1 || says != checked.String() {
						t.Errorf("serve: %d %s, and check says %s", code, says, &checked)
					}
				case <-time.After(patience):
					t.Error("it serves")
				}
			})
		}
	}
}

// TestEveryKeyIsBroken: a key that comes is tried with a value that it cannot have.
func TestEveryKeyIsBroken(t *testing.T) {
	t.Parallel()
	known := make(map[string]bool)
	for _, key := range anyValue {
		known[key] = true
	}
	for _, key := range config.Reference(build.Defaults()) {
		if key.Variable != "" && broken[key.Key] == nil && !known[key.Key] {
			t.Errorf("no value of %s is tried", key.Key)
		}
	}
}
