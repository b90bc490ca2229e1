package config

import "time"

// Config is gateway.yaml. Every key is also an environment variable, which takes
// precedence: upstream.base_url is GATEWAY_UPSTREAM_BASE_URL.
type Config struct {
	Listen string `yaml:"listen"`
	// GRPCListen is the address of the gRPC-only listener. An empty address disables
	// it.
	GRPCListen string `yaml:"grpc_listen"`
	OpsListen  string `yaml:"ops_listen"`
	// VaultListen is the address of the listener for Vault's clients. An empty address
	// disables it.
	VaultListen string `yaml:"vault_listen"`
	// ConsoleListen is the address of the pages for people. An empty address disables
	// them.
	ConsoleListen string `yaml:"console_listen"`
	// Console configures these pages.
	Console Console `yaml:"console"`
	// Vault configures what they find there.
	Vault    Vault    `yaml:"vault"`
	TLS      TLS      `yaml:"tls"`
	Upstream Upstream `yaml:"upstream"`
	Authn    Authn    `yaml:"authn"`
	Cache    Cache    `yaml:"cache"`
	Policy   string   `yaml:"policy"`
	Audit    Audit    `yaml:"audit"`
	// OpsTLS protects the operators' listener. TLS does not apply to it.
	OpsTLS OpsTLS `yaml:"ops_tls"`
	CORS   CORS   `yaml:"cors"`
	// Reflection shows the schema to callers with the permission reflection.read.
	Reflection bool     `yaml:"reflection"`
	Limits     Limits   `yaml:"limits"`
	Shutdown   Shutdown `yaml:"shutdown"`
	// Inventory bounds streams that are made of many reads.
	Inventory Inventory `yaml:"inventory"`
	// Leases configures where leases are kept.
	Leases Leases `yaml:"leases"`
	// Log and Telemetry configure what operators see.
	Log       Log       `yaml:"log"`
	Telemetry Telemetry `yaml:"telemetry"`
}

// OpsTLS encrypts the operators' listener. The zero value does not.
type OpsTLS struct {
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
	// ClientCAFile requires a certificate of these authorities, except for health:
	// a probe has no certificate.
	ClientCAFile string `yaml:"client_ca_file"`
}

// TLS encrypts the connections of callers, with certificates from files or from a
// SPIFFE workload API. The zero value does not encrypt.
type TLS struct {
	CertFile     string   `yaml:"cert_file"`
	KeyFile      string   `yaml:"key_file"`
	ClientCAFile string   `yaml:"client_ca_file"`
	SPIFFESocket string   `yaml:"spiffe_socket"`
	TrustDomains []string `yaml:"trust_domains"`
}

// Authn lists the issuers of JWTs.
type Authn struct {
	Issuers []Issuer `yaml:"issuers"`
}

// Issuer is an issuer whose JWTs are accepted.
type Issuer struct {
	URL        string   `yaml:"url"`
	Audiences  []string `yaml:"audiences"`
	Algorithms []string `yaml:"algorithms"`
	JWKSURL    string   `yaml:"jwks_url"`
	CAFile     string   `yaml:"ca_file"`
	TokenFile  string   `yaml:"token_file"`
}

// Defaults are the default values that other packages own, because they apply
// them. The caller passes them in.
type Defaults struct {
	// LongestCall is the default of limits.longest_call, and its upper bound.
	LongestCall time.Duration
	// InventoryConcurrency is the default of inventory.concurrency.
	InventoryConcurrency int
	// LongestStream is the default of inventory.longest_stream.
	LongestStream time.Duration
	// OutermostItems is the default of inventory.outermost_items.
	OutermostItems int
	// SweepInterval is the default of leases.sweep_interval.
	SweepInterval time.Duration
	// KeepEnded is the default of leases.keep_ended.
	KeepEnded time.Duration
	// ConsoleSession and ConsoleIdle are the defaults of console.session and console.idle.
	ConsoleSession, ConsoleIdle time.Duration
	// IDCharacters is the default of upstream.id_characters.
	IDCharacters string
}

// New returns the config of an empty file.
func New(d Defaults) Config {
	return Config{
		Listen:    "127.0.0.1:8080",
		OpsListen: "127.0.0.1:8081",
		Upstream:  Upstream{BaseURL: "https://api.openai.com/v1", Answers: AnswersLenient, Budget: defaultBudget(), IDCharacters: d.IDCharacters},
		Cache:     Cache{Memory: 64 << 20, Jitter: 0.1},
		Audit:     defaultAudit(),
		CORS:      CORS{MaxAge: 10 * time.Minute},
		Limits:    defaultLimits(d),
		Inventory: defaultInventory(d),
		Leases:    defaultLeases(d),
		Vault:     defaultVault(),
		Console:   defaultConsole(d),
		Shutdown:  Shutdown{Delay: 5 * time.Second, Timeout: 25 * time.Second},
		Log:       defaultLog(),
		Telemetry: Telemetry{SampleRatio: 1, ServiceName: "admin-gateway"},
	}
}
