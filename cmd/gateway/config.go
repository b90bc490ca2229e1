package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/strictyaml"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/authn"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// config is gateway.yaml. Every key is also an environment variable, which
// wins: upstream.base_url is GATEWAY_UPSTREAM_BASE_URL.
type config struct {
	Listen string `yaml:"listen"`
	// GRPCListen is the address of the door for gRPC alone; "" is no such door.
	GRPCListen string         `yaml:"grpc_listen"`
	OpsListen  string         `yaml:"ops_listen"`
	TLS        tlsConfig      `yaml:"tls"`
	Upstream   upstreamConfig `yaml:"upstream"`
	Authn      authnConfig    `yaml:"authn"`
	Cache      cacheConfig    `yaml:"cache"`
	Policy     string         `yaml:"policy"`
	Audit      auditConfig    `yaml:"audit"`
	// OpsTLS protects what operators read, apart from TLS.
	OpsTLS opsTLSConfig `yaml:"ops_tls"`
	CORS   corsConfig   `yaml:"cors"`
	// Reflection tells callers that have the permission reflection.read the schema.
	Reflection bool           `yaml:"reflection"`
	Limits     limitsConfig   `yaml:"limits"`
	Shutdown   shutdownConfig `yaml:"shutdown"`
	// Inventory bounds what one call makes of many reads.
	Inventory inventoryConfig `yaml:"inventory"`
	// Log and Telemetry are what operators get to see.
	Log       logConfig       `yaml:"log"`
	Telemetry telemetryConfig `yaml:"telemetry"`
}

// opsTLSConfig protects the listener of operators; empty: not at all.
type opsTLSConfig struct {
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
	// ClientCAFile asks for a certificate of these authorities, for everything but
	// health: a probe has none.
	ClientCAFile string `yaml:"client_ca_file"`
}

// tlsConfig says how connections of callers are protected: by files, by what a
// SPIFFE workload API gives, or, when it is empty, not at all.
type tlsConfig struct {
	CertFile     string   `yaml:"cert_file"`
	KeyFile      string   `yaml:"key_file"`
	ClientCAFile string   `yaml:"client_ca_file"`
	SPIFFESocket string   `yaml:"spiffe_socket"`
	TrustDomains []string `yaml:"trust_domains"`
}

type upstreamConfig struct {
	BaseURL  string       `yaml:"base_url"`
	AdminKey keyConfig    `yaml:"admin_key"`
	Budget   budgetConfig `yaml:"budget"`
}

// keyConfig says where a secret is, never what it is.
type keyConfig struct {
	Env  string `yaml:"env"`
	File string `yaml:"file"`
}

type authnConfig struct {
	Issuers []issuerConfig `yaml:"issuers"`
}

// issuerConfig is somebody whose JWTs are accepted.
type issuerConfig struct {
	URL        string   `yaml:"url"`
	Audiences  []string `yaml:"audiences"`
	Algorithms []string `yaml:"algorithms"`
	JWKSURL    string   `yaml:"jwks_url"`
	CAFile     string   `yaml:"ca_file"`
	TokenFile  string   `yaml:"token_file"`
}

// cacheConfig bounds what is remembered, and says where replicas share it.
type cacheConfig struct {
	Memory   byteSize `yaml:"memory"`
	RedisURL string   `yaml:"redis_url"`
	// RedisPassword, where it is set, takes the place of the URL's.
	RedisPassword keyConfig `yaml:"redis_password"`
	// RedisCAFile has the authorities of Redis' certificate; "" is the system's.
	RedisCAFile string `yaml:"redis_ca_file"`
	// RedisCertFile and RedisKeyFile are by what the gateway is known to Redis; ""
	// for neither.
	RedisCertFile string `yaml:"redis_cert_file"`
	RedisKeyFile  string `yaml:"redis_key_file"`
	// EncryptionKeys are those with which what is in Redis is encrypted: the
	// first encrypts, the second, if there is one, still decrypts.
	EncryptionKeys []keyConfig `yaml:"encryption_keys"`
	// Lives are those of answers, where they are not as the catalog declares them.
	Lives []lifeConfig `yaml:"lives"`
	// Jitter is the largest part of an answer's freshness that is taken off by
	// chance.
	Jitter float64 `yaml:"jitter"`
}

// lifeConfig changes how long the answers to a read, or to all reads of a
// resource, may be used. What it leaves out stays as it is declared.
type lifeConfig struct {
	Of                   string         `yaml:"of"`
	Fresh                *time.Duration `yaml:"fresh"`
	StaleWhileRevalidate *time.Duration `yaml:"stale_while_revalidate"`
	StaleIfError         *time.Duration `yaml:"stale_if_error"`
	Settled              *time.Duration `yaml:"settled"`
}

// lives compiles them against the catalog.
func (c cacheConfig) lives(catalog *service.Catalog) (service.Lives, error) {
	var overrides []service.LifeOverride
	for _, l := range c.Lives {
		overrides = append(overrides, service.LifeOverride{
			Of: l.Of, Fresh: l.Fresh, WhileRevalidate: l.StaleWhileRevalidate, IfError: l.StaleIfError, Settled: l.Settled,
		})
	}
	lives, err := catalog.Lives(overrides)
	if err != nil {
		return nil, fmt.Errorf("config key cache.lives: %w", err)
	}
	return lives, nil
}

type auditConfig struct {
	Path     string `yaml:"path"`
	Required bool   `yaml:"required"`
}

func defaultConfig() config {
	return config{
		Listen:    "127.0.0.1:8080",
		OpsListen: "127.0.0.1:8081",
		Upstream:  upstreamConfig{BaseURL: "https://api.openai.com/v1", Budget: defaultBudget()},
		Cache:     cacheConfig{Memory: 64 << 20, Jitter: 0.1},
		Audit:     auditConfig{Path: "-"},
		CORS:      corsConfig{MaxAge: 10 * time.Minute},
		Limits:    defaultLimits(),
		Inventory: defaultInventory(),
		Shutdown:  shutdownConfig{Delay: 5 * time.Second, Timeout: 25 * time.Second},
		Telemetry: telemetryConfig{SampleRatio: 1, ServiceName: "admin-gateway"},
	}
}

// settings lists every key with its value.
func (c *config) settings() []setting {
	return slices.Concat([]setting{
		{"listen", &c.Listen},
		{"grpc_listen", &c.GRPCListen},
		{"ops_listen", &c.OpsListen},
		{"tls.cert_file", &c.TLS.CertFile},
		{"tls.key_file", &c.TLS.KeyFile},
		{"tls.client_ca_file", &c.TLS.ClientCAFile},
		{"tls.spiffe_socket", &c.TLS.SPIFFESocket},
		{"tls.trust_domains", &c.TLS.TrustDomains},
		{"upstream.base_url", &c.Upstream.BaseURL},
		{"upstream.admin_key.env", &c.Upstream.AdminKey.Env},
		{"upstream.admin_key.file", &c.Upstream.AdminKey.File},
		{"upstream.budget.organization.calls_per_minute", &c.Upstream.Budget.Organization.CallsPerMinute},
		{"upstream.budget.organization.burst", &c.Upstream.Budget.Organization.Burst},
		{"upstream.budget.default.calls_per_minute", &c.Upstream.Budget.Default.CallsPerMinute},
		{"upstream.budget.default.burst", &c.Upstream.Budget.Default.Burst},
		{"upstream.budget.buckets", &c.Upstream.Budget.Buckets},
		{"upstream.budget.replica_share", &c.Upstream.Budget.ReplicaShare},
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
		{"audit.path", &c.Audit.Path},
		{"audit.required", &c.Audit.Required},
		{"ops_tls.cert_file", &c.OpsTLS.CertFile},
		{"ops_tls.key_file", &c.OpsTLS.KeyFile},
		{"ops_tls.client_ca_file", &c.OpsTLS.ClientCAFile},
		{"cors.allowed_origins", &c.CORS.AllowedOrigins},
		{"cors.allow_credentials", &c.CORS.AllowCredentials},
		{"cors.max_age", &c.CORS.MaxAge},
		{"reflection", &c.Reflection},
		{"shutdown.delay", &c.Shutdown.Delay},
		{"shutdown.timeout", &c.Shutdown.Timeout},
		{"log.level", &c.Log.Level},
		{"telemetry.otlp_endpoint", &c.Telemetry.OTLPEndpoint},
		{"telemetry.otlp_insecure", &c.Telemetry.OTLPInsecure},
		{"telemetry.otlp_headers", &c.Telemetry.OTLPHeaders},
		{"telemetry.sample_ratio", &c.Telemetry.SampleRatio},
		{"telemetry.service_name", &c.Telemetry.ServiceName},
		{"telemetry.send_traceparent", &c.Telemetry.SendTraceparent},
	}, c.Limits.settings(), c.Inventory.settings())
}

type setting struct {
	key   string
	value any // a pointer
}

// variable is the setting's name in the environment.
func (s setting) variable() string {
	return "GATEWAY_" + strings.ToUpper(strings.ReplaceAll(s.key, ".", "_"))
}

// readConfig reads a file (none when the path is empty), then the environment,
// where a list is written as YAML. An error names file, line and column, or the
// variable. Whether the values make sense, [config.check] tells.
func readConfig(path string, lookup func(string) (string, bool)) (config, error) {
	c := defaultConfig()
	if path != "" {
		content, err := strictyaml.ReadFile(path)
		if err != nil {
			return c, fmt.Errorf("config: %w", err)
		}
		if _, err := strictyaml.Unmarshal(path, content, &c); err != nil {
			return c, err
		}
	}
	for _, s := range c.settings() {
		value, ok := lookup(s.variable())
		if !ok {
			continue
		}
		if text, isText := s.value.(*string); isText {
			*text = value
		} else if _, err := strictyaml.Unmarshal("environment variable "+s.variable(), []byte(value), s.value); err != nil {
			return c, err
		}
	}
	return c, nil
}

// check tells all that is wrong, each with the key.
func (c *config) check() error {
	var faults []error
	fault := func(key, format string, args ...any) {
		faults = append(faults, fmt.Errorf("config key "+key+": "+format, args...))
	}
	for key, address := range map[string]string{"listen": c.Listen, "grpc_listen": c.GRPCListen, "ops_listen": c.OpsListen} {
		if _, _, err := net.SplitHostPort(address); err != nil && (key != "grpc_listen" || address != "") {
			fault(key, "%q is no host:port", address)
		}
	}
	if key := c.Upstream.AdminKey; (key.Env == "") == (key.File == "") {
		fault("upstream.admin_key", "exactly one of env and file must say where the admin key is")
	}
	c.Cache.checkRedis(fault)
	c.Cache.checkRedisTLS(fault)
	for i, key := range c.Cache.EncryptionKeys {
		if (key.Env == "") == (key.File == "") || i > 1 {
			fault("cache.encryption_keys", "one or two, each with either env or file")
			break
		}
	}
	if len(c.Cache.EncryptionKeys) > 0 && c.Cache.RedisURL == "" {
		fault("cache.encryption_keys", "goes with redis_url: nothing else leaves the process")
	}
	if c.Cache.Jitter < 0 || c.Cache.Jitter > 1 {
		fault("cache.jitter", "a part, from 0 to 1")
	}
	if c.Policy == "" {
		fault("policy", "the path of a policy file is missing; without one nobody may call")
	}
	c.Telemetry.check(fault)
	t := c.TLS
	switch files := t.CertFile != "" || t.KeyFile != "" || t.ClientCAFile != ""; {
	case files && t.SPIFFESocket != "":
		fault("tls", "certificates come from files or from spiffe_socket, not from both")
	case files && (t.CertFile == "" || t.KeyFile == ""):
		fault("tls", "cert_file and key_file go together")
	case len(t.TrustDomains) > 0 && t.SPIFFESocket == "":
		fault("tls.trust_domains", "goes with spiffe_socket")
	}
	if o := c.OpsTLS; (o.CertFile == "") != (o.KeyFile == "") || o.ClientCAFile != "" && o.CertFile == "" {
		fault("ops_tls", "cert_file and key_file go together, and client_ca_file with them")
	}
	c.CORS.check(fault)
	c.Limits.check(fault)
	c.Inventory.check(fault)
	c.Shutdown.check(fault)
	return errors.Join(faults...)
}

// checkLoopback keeps what has no callers of its own, or whose callers are known
// to all, to its own machine.
func checkLoopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q is no host:port", address)
	}
	if !isLoopback(host) {
		return fmt.Errorf("%q is not a loopback address", address)
	}
	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (k keyConfig) source(logger *slog.Logger) upstream.KeySource {
	if k.File != "" {
		return upstream.FromFile(k.File, logger)
	}
	return upstream.FromEnv(k.Env)
}

func (c authnConfig) issuers() []authn.Issuer {
	var all []authn.Issuer
	for _, i := range c.Issuers {
		all = append(all, authn.Issuer{
			URL: i.URL, Audiences: i.Audiences, Algorithms: i.Algorithms, JWKSURL: i.JWKSURL, CAFile: i.CAFile, TokenFile: i.TokenFile,
		})
	}
	return all
}

func (c authnConfig) urls() []string {
	var all []string
	for _, i := range c.Issuers {
		all = append(all, i.URL)
	}
	return all
}
