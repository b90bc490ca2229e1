package config

import (
	"time"
)

// config is gateway.yaml. Every key is also an environment variable, which
// wins: upstream.base_url is GATEWAY_UPSTREAM_BASE_URL.
type Config struct {
	Listen string `yaml:"listen"`
	// GRPCListen is the address of the door for gRPC alone; "" is no such door.
	GRPCListen string   `yaml:"grpc_listen"`
	OpsListen  string   `yaml:"ops_listen"`
	TLS        TLS      `yaml:"tls"`
	Upstream   Upstream `yaml:"upstream"`
	Authn      Authn    `yaml:"authn"`
	Cache      Cache    `yaml:"cache"`
	Policy     string   `yaml:"policy"`
	Audit      Audit    `yaml:"audit"`
	// OpsTLS protects what operators read, apart from TLS.
	OpsTLS OpsTLS `yaml:"ops_tls"`
	CORS   CORS   `yaml:"cors"`
	// Reflection tells callers that have the permission reflection.read the schema.
	Reflection bool     `yaml:"reflection"`
	Limits     Limits   `yaml:"limits"`
	Shutdown   Shutdown `yaml:"shutdown"`
	// Inventory bounds what one call makes of many reads.
	Inventory Inventory `yaml:"inventory"`
	// Log and Telemetry are what operators get to see.
	Log       Log       `yaml:"log"`
	Telemetry Telemetry `yaml:"telemetry"`
}

// OpsTLS protects the listener of operators; empty: not at all.
type OpsTLS struct {
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
	// ClientCAFile asks for a certificate of these authorities, for everything but
	// health: a probe has none.
	ClientCAFile string `yaml:"client_ca_file"`
}

// TLS says how connections of callers are protected: by files, by what a
// SPIFFE workload API gives, or, when it is empty, not at all.
type TLS struct {
	CertFile     string   `yaml:"cert_file"`
	KeyFile      string   `yaml:"key_file"`
	ClientCAFile string   `yaml:"client_ca_file"`
	SPIFFESocket string   `yaml:"spiffe_socket"`
	TrustDomains []string `yaml:"trust_domains"`
}

type Authn struct {
	Issuers []Issuer `yaml:"issuers"`
}

// Issuer is somebody whose JWTs are accepted.
type Issuer struct {
	URL        string   `yaml:"url"`
	Audiences  []string `yaml:"audiences"`
	Algorithms []string `yaml:"algorithms"`
	JWKSURL    string   `yaml:"jwks_url"`
	CAFile     string   `yaml:"ca_file"`
	TokenFile  string   `yaml:"token_file"`
}

type Audit struct {
	Path     string `yaml:"path"`
	Required bool   `yaml:"required"`
}

// Defaults are the values of keys whose meaning belongs to another package. That
// package is their owner; the config is given them.
type Defaults struct {
	// LongestCall is limits.longest_call, and the most that it may be.
	LongestCall time.Duration
	// InventoryConcurrency is inventory.concurrency.
	InventoryConcurrency int
	// LongestStream is inventory.longest_stream.
	LongestStream time.Duration
	// OutermostItems is inventory.outermost_items.
	OutermostItems int
}

// New is the config of an empty file.
func New(d Defaults) Config {
	return Config{
		Listen:    "127.0.0.1:8080",
		OpsListen: "127.0.0.1:8081",
		Upstream:  Upstream{BaseURL: "https://api.openai.com/v1", Budget: defaultBudget()},
		Cache:     Cache{Memory: 64 << 20, Jitter: 0.1},
		Audit:     Audit{Path: "-"},
		CORS:      CORS{MaxAge: 10 * time.Minute},
		Limits:    defaultLimits(d),
		Inventory: defaultInventory(d),
		Shutdown:  Shutdown{Delay: 5 * time.Second, Timeout: 25 * time.Second},
		Telemetry: Telemetry{SampleRatio: 1, ServiceName: "admin-gateway"},
	}
}
