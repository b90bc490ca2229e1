package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/admin-gateway/admin-gateway/internal/strictyaml"
)

// settings lists every key that has an environment variable.
func (c *Config) settings() []setting {
	return slices.Concat([]setting{
		{"listen", &c.Listen},
		{"grpc_listen", &c.GRPCListen},
		{"ops_listen", &c.OpsListen},
		{"vault_listen", &c.VaultListen},
		{"console_listen", &c.ConsoleListen},
		{"tls.cert_file", &c.TLS.CertFile},
		{"tls.key_file", &c.TLS.KeyFile},
		{"tls.client_ca_file", &c.TLS.ClientCAFile},
		{"tls.spiffe_socket", &c.TLS.SPIFFESocket},
		{"tls.trust_domains", &c.TLS.TrustDomains},
		{"upstream.base_url", &c.Upstream.BaseURL},
		{"upstream.admin_key.env", &c.Upstream.AdminKey.Env},
		{"upstream.admin_key.file", &c.Upstream.AdminKey.File},
		{"upstream.answers", &c.Upstream.Answers},
		{"upstream.id_characters", &c.Upstream.IDCharacters},
		{"upstream.budget.organization.calls_per_minute", &c.Upstream.Budget.Organization.CallsPerMinute},
		{"upstream.budget.organization.burst", &c.Upstream.Budget.Organization.Burst},
		{"upstream.budget.default.calls_per_minute", &c.Upstream.Budget.Default.CallsPerMinute},
		{"upstream.budget.default.burst", &c.Upstream.Budget.Default.Burst},
		{"upstream.budget.buckets", &c.Upstream.Budget.Buckets},
		{"upstream.budget.replica_share", &c.Upstream.Budget.ReplicaShare},
		{"upstream.budget.mint_share", &c.Upstream.Budget.MintShare},
		{"authn.issuers", &c.Authn.Issuers},
		{"cache.memory", &c.Cache.Memory},
		{"cache.redis_url", &c.Cache.RedisURL},
		{"cache.redis_password.env", &c.Cache.RedisPassword.Env},
		{"cache.redis_password.file", &c.Cache.RedisPassword.File},
		{"cache.redis_ca_file", &c.Cache.RedisCAFile},
		{"cache.redis_cert_file", &c.Cache.RedisCertFile},
		{"cache.redis_key_file", &c.Cache.RedisKeyFile},
		{"cache.encryption_keys", &c.Cache.EncryptionKeys},
		{"cache.lives", &c.Cache.Lives},
		{"cache.jitter", &c.Cache.Jitter},
		{"policy", &c.Policy},
		{"ops_tls.cert_file", &c.OpsTLS.CertFile},
		{"ops_tls.key_file", &c.OpsTLS.KeyFile},
		{"ops_tls.client_ca_file", &c.OpsTLS.ClientCAFile},
		{"cors.allowed_origins", &c.CORS.AllowedOrigins},
		{"cors.allow_credentials", &c.CORS.AllowCredentials},
		{"cors.max_age", &c.CORS.MaxAge},
		{"reflection", &c.Reflection},
		{"shutdown.delay", &c.Shutdown.Delay},
		{"shutdown.timeout", &c.Shutdown.Timeout},
		{"telemetry.otlp_endpoint", &c.Telemetry.OTLPEndpoint},
		{"telemetry.otlp_insecure", &c.Telemetry.OTLPInsecure},
		{"telemetry.otlp_headers", &c.Telemetry.OTLPHeaders},
		{"telemetry.sample_ratio", &c.Telemetry.SampleRatio},
		{"telemetry.service_name", &c.Telemetry.ServiceName},
		{"telemetry.send_traceparent", &c.Telemetry.SendTraceparent},
		{"telemetry.stages", &c.Telemetry.Stages},
	}, c.Log.settings(), c.Audit.settings(), c.Limits.settings(), c.Inventory.settings(), c.Leases.settings(), c.Vault.settings(), c.Console.settings())
}

type setting struct {
	key   string
	value any // a pointer
}

// variable is the setting's name in the environment.
func (s setting) variable() string {
	return "GATEWAY_" + strings.ToUpper(strings.ReplaceAll(s.key, ".", "_"))
}

// Read reads the file, if the path is not empty, and then the environment, where a
// list is written as YAML. An error names file, line and column, or the variable.
// Read does not judge the values; [Config.Check] does.
func Read(path string, lookup func(string) (string, bool), d Defaults) (Config, *Places, error) {
	c, places := New(d), &Places{file: path, variables: make(map[string]string)}
	if path != "" {
		content, err := strictyaml.ReadFile(path, strictyaml.MaxBytes)
		if err != nil {
			return c, places, fmt.Errorf("config: %w", err)
		}
		if places.doc, err = strictyaml.Unmarshal(path, content, &c); err != nil {
			return c, places, err
		}
	}
	for _, s := range c.settings() {
		value, ok := lookup(s.variable())
		if !ok {
			continue
		}
		places.variables[s.key] = s.variable()
		if text, isText := s.value.(*string); isText {
			*text = value
		} else if _, err := strictyaml.Unmarshal("environment variable "+s.variable(), value, s.value); err != nil {
			return c, places, err
		}
	}
	return c, places, nil
}
