package config

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func of(d time.Duration) *time.Duration { return &d }

// defaults are fixed, whatever the other packages of the gateway use.
func defaults() Defaults {
	return Defaults{LongestCall: 2 * time.Minute, InventoryConcurrency: 8, LongestStream: 6 * time.Hour, OutermostItems: 100_000, SweepInterval: 15 * time.Minute, KeepEnded: 24 * time.Hour, IDCharacters: "_-.:", ConsoleSession: 8 * time.Hour, ConsoleIdle: 30 * time.Minute}
}

// loadConfig reads and checks.
func loadConfig(path string, lookup func(string) (string, bool)) (Config, error) {
	c, _, err := Read(path, lookup, defaults())
	if err != nil {
		return c, err
	}
	return c, c.Check(defaults())
}

func environment(variables map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := variables[name]
		return value, ok
	}
}

const wholeConfig = `listen: 0.0.0.0:1
grpc_listen: 0.0.0.0:3
ops_listen: "[::1]:2"
vault_listen: 0.0.0.0:4
vault: {mount: team/openai, logins: [eu, us/k8s]}
console_listen: 0.0.0.0:5
console: {url: "https://console.example", session: 1h, idle: 5m, oidc: {issuer: "https://issuer.example", client_id: gateway, client_secret: {env: CONSOLE}, scopes: [email]}}
tls:
  cert_file: /tls/tls.crt
  key_file: /tls/tls.key
  client_ca_file: /tls/ca.crt
upstream:
  base_url: http://127.0.0.1:9999/v1
  answers: strict
  id_characters: "_-|"
  admin_key: {env: SOME_KEY}
  budget:
    organization: {calls_per_minute: 30, burst: 3}
    default: {calls_per_minute: 5}
    buckets: [{name: projects, methods: [ProjectService/ListProjects], calls_per_minute: 20, burst: 4}]
    replica_share: 0.5
    mint_share: 0.3
authn:
  issuers:
    - url: https://issuer.example
      audiences: [admin-gateway, gateway]
      algorithms: [RS256]
      jwks_url: https://issuer.example/keys
      ca_file: /ca
      token_file: /token
cache:
  memory: 16MiB
  redis_url: "rediss://127.0.0.1:6379/0"
  redis_ca_file: /redis/ca.crt
  redis_cert_file: /redis/tls.crt
  redis_key_file: /redis/tls.key
  redis_password: {file: /password}
  encryption_keys: [{env: NEW}, {file: /old}]
  jitter: 0.25
  lives:
    - {of: projects.users, fresh: 30s}
    - {of: ProjectService/GetProject, fresh: 0s, stale_while_revalidate: 1s, stale_if_error: 2m, settled: 1h}
policy: /etc/policy.yaml
audit: {path: /var/log/audit.jsonl, required: sensitive, sync: true, memory: 1MiB, hmac_key: {file: /hmac}, trusted_proxies: [10.0.0.0/8, "::1"], forwarded_header: forwarded}
ops_tls: {cert_file: /ops.crt, key_file: /ops.key, client_ca_file: /ops-ca.crt}
cors: {allowed_origins: ["https://console.example", "http://localhost:3000"], allow_credentials: true, max_age: 1h}
reflection: true
limits:
  header_bytes: 8KiB
  request_bytes: 2MiB
  read_header_timeout: 1s
  read_timeout: 3s
  idle_timeout: 4s
  longest_call: 5s
  concurrent_streams: 6
  connections: 7
  connection_age: 8m
  policy_bytes: 9MiB
inventory: {concurrency: 4, longest_stream: 1h, outermost_items: 2000}
leases: {organization: acme_eu-1, sweep_interval: 5m, keep_ended: 48h}
shutdown: {delay: 1s, timeout: 9s}
log: {level: debug, calls: none, slow: 0s}
telemetry:
  otlp_endpoint: collector:4317
  otlp_insecure: true
  otlp_headers: [{name: authorization, env: OTLP}]
  sample_ratio: 0.125
  service_name: gateway-eu
  send_traceparent: true
  stages: true
`

func TestLoadConfig(t *testing.T) {
	t.Parallel()
	whole := Config{
		Listen: "0.0.0.0:1", GRPCListen: "0.0.0.0:3", OpsListen: "[::1]:2", VaultListen: "0.0.0.0:4",
		Vault:         Vault{Mount: "team/openai", Logins: []string{"eu", "us/k8s"}},
		ConsoleListen: "0.0.0.0:5", Console: Console{URL: "https://console.example", Session: time.Hour, Idle: 5 * time.Minute, OIDC: ConsoleOIDC{Issuer: "https://issuer.example", ClientID: "gateway", ClientSecret: SecretRef{Env: "CONSOLE"}, Scopes: []string{"email"}}},
		TLS: TLS{CertFile: "/tls/tls.crt", KeyFile: "/tls/tls.key", ClientCAFile: "/tls/ca.crt"},
		Upstream: Upstream{BaseURL: "http://127.0.0.1:9999/v1", AdminKey: SecretRef{Env: "SOME_KEY"}, Answers: AnswersStrict, IDCharacters: "_-|", Budget: Budget{
			Organization: Limit{30, 3}, Default: Limit{5, 2}, Buckets: []Bucket{{"projects", 20, 4, []string{"ProjectService/ListProjects"}}}, ReplicaShare: 0.5, MintShare: 0.3,
		}},
		Authn: Authn{Issuers: []Issuer{{
			URL: "https://issuer.example", Audiences: []string{"admin-gateway", "gateway"}, Algorithms: []string{"RS256"},
			JWKSURL: "https://issuer.example/keys", CAFile: "/ca", TokenFile: "/token",
		}}},
		Cache: Cache{Memory: 16 << 20, RedisURL: "rediss://127.0.0.1:6379/0", RedisPassword: SecretRef{File: "/password"}, RedisCAFile: "/redis/ca.crt", RedisCertFile: "/redis/tls.crt", RedisKeyFile: "/redis/tls.key", EncryptionKeys: []SecretRef{{Env: "NEW"}, {File: "/old"}}, Jitter: 0.25, Lives: []Life{
			{Of: "projects.users", Fresh: of(30 * time.Second)},
			{Of: "ProjectService/GetProject", Fresh: of(0), StaleWhileRevalidate: of(time.Second), StaleIfError: of(2 * time.Minute), Settled: of(time.Hour)},
		}},
		Policy: "/etc/policy.yaml",
		Audit: Audit{
			Path: "/var/log/audit.jsonl", Required: AuditSensitive, Sync: true, Memory: 1 << 20, HMACKey: SecretRef{File: "/hmac"},
			TrustedProxies: []string{"10.0.0.0/8", "::1"}, ForwardedHeader: Forwarded,
		},
		OpsTLS: OpsTLS{CertFile: "/ops.crt", KeyFile: "/ops.key", ClientCAFile: "/ops-ca.crt"},
		CORS:   CORS{AllowedOrigins: []string{"https://console.example", "http://localhost:3000"}, AllowCredentials: true, MaxAge: time.Hour},
		Limits: Limits{
			HeaderBytes: 8 << 10, RequestBytes: 2 << 20, ReadHeaderTimeout: time.Second, ReadTimeout: 3 * time.Second, IdleTimeout: 4 * time.Second,
			LongestCall: 5 * time.Second, ConcurrentStreams: 6, Connections: 7, ConnectionAge: 8 * time.Minute, PolicyBytes: 9 << 20,
		},
		Inventory:  Inventory{Concurrency: 4, LongestStream: time.Hour, OutermostItems: 2000},
		Leases:     Leases{Organization: "acme_eu-1", SweepInterval: 5 * time.Minute, KeepEnded: 48 * time.Hour},
		Reflection: true, Shutdown: Shutdown{Delay: time.Second, Timeout: 9 * time.Second},
		Log: Log{Level: LogLevel(slog.LevelDebug), Calls: LogNone},
		Telemetry: Telemetry{
			OTLPEndpoint: "collector:4317", OTLPInsecure: true, OTLPHeaders: []Header{{Name: "authorization", Env: "OTLP"}},
			SampleRatio: 0.125, ServiceName: "gateway-eu", SendTraceparent: true, Stages: true,
		},
	}
	withDefaults := New(defaults())
	withDefaults.Upstream.AdminKey.File = "/run/key"
	withDefaults.Policy = "p.yaml"
	everyVariable := Config{
		Listen: "localhost:3", GRPCListen: "localhost:5", OpsListen: "127.0.0.2:4", VaultListen: "localhost:6",
		Vault:         Vault{Mount: "keys", Logins: []string{"oidc"}},
		ConsoleListen: "localhost:7", Console: Console{URL: "http://localhost:7", Session: 2 * time.Hour, Idle: 6 * time.Minute, OIDC: ConsoleOIDC{Scopes: []string{}}},
		TLS:      TLS{SPIFFESocket: "unix:///s", TrustDomains: []string{"example.org"}},
		Upstream: Upstream{BaseURL: "http://b", AdminKey: SecretRef{File: "/key"}, Answers: AnswersLenient, IDCharacters: "_@", Budget: whole.Upstream.Budget},
		Authn:    Authn{Issuers: []Issuer{{URL: "https://other.example", Audiences: []string{"x"}}}},
		Cache:    Cache{Memory: 1 << 30, EncryptionKeys: []SecretRef{}, Jitter: 0.25, Lives: whole.Cache.Lives},
		Policy:   "other.yaml",
		Audit: Audit{
			Path: "-", Memory: 1 << 20, Required: AuditWrites, Sync: false, HMACKey: SecretRef{Env: "HMAC"},
			TrustedProxies: []string{"192.0.2.1"}, ForwardedHeader: XForwardedFor,
		},
		OpsTLS: OpsTLS{},
		CORS:   CORS{AllowedOrigins: []string{"*"}, MaxAge: time.Minute},
		Limits: Limits{
			HeaderBytes: 16 << 10, RequestBytes: 4 << 20, ReadHeaderTimeout: 11 * time.Second, ReadTimeout: 13 * time.Second, IdleTimeout: 14 * time.Second,
			LongestCall: 15 * time.Second, ConcurrentStreams: 16, Connections: 17, ConnectionAge: 18 * time.Minute, PolicyBytes: 19 << 20,
		},
		Inventory: Inventory{Concurrency: 5, LongestStream: 2 * time.Hour, OutermostItems: 3000},
		Leases:    Leases{Path: "/var/lib/leases.db", Organization: "other", SweepInterval: time.Hour, KeepEnded: 2 * time.Hour},
		Shutdown:  Shutdown{Delay: 0, Timeout: 19 * time.Second},
		Log:       Log{Level: LogLevel(slog.LevelWarn), Calls: LogAll, Slow: 300 * time.Millisecond},
		Telemetry: Telemetry{
			OTLPEndpoint: "https://other.example", OTLPHeaders: []Header{{Name: "a", File: "/b"}}, SampleRatio: 0.5, ServiceName: "other",
		},
	}
	required := map[string]string{"GATEWAY_UPSTREAM_ADMIN_KEY_FILE": "/run/key", "GATEWAY_POLICY": "p.yaml"}
	tests := []struct {
		name, file string
		env        map[string]string
		want       Config
	}{
		{"file", wholeConfig, nil, whole},
		{"part of a file", "policy: p.yaml\nupstream: {admin_key: {file: /run/key}}", nil, withDefaults},
		{"empty file", "", required, withDefaults},
		{"file of a comment", "# nothing yet\n", required, withDefaults},
		{"environment wins", wholeConfig, map[string]string{
			"GATEWAY_LISTEN": "localhost:3", "GATEWAY_GRPC_LISTEN": "localhost:5", "GATEWAY_OPS_LISTEN": "127.0.0.2:4", "GATEWAY_VAULT_LISTEN": "localhost:6",
			"GATEWAY_CONSOLE_LISTEN": "localhost:7", "GATEWAY_CONSOLE_URL": "http://localhost:7", "GATEWAY_CONSOLE_SESSION": "2h", "GATEWAY_CONSOLE_IDLE": "6m", "GATEWAY_CONSOLE_OIDC_ISSUER": "", "GATEWAY_CONSOLE_OIDC_CLIENT_ID": "", "GATEWAY_CONSOLE_OIDC_CLIENT_SECRET_ENV": "", "GATEWAY_CONSOLE_OIDC_CLIENT_SECRET_FILE": "", "GATEWAY_CONSOLE_OIDC_SCOPES": "[]",
			"GATEWAY_VAULT_MOUNT": "keys", "GATEWAY_VAULT_LOGINS": "[oidc]", "GATEWAY_UPSTREAM_BASE_URL": "http://b",
			"GATEWAY_UPSTREAM_ADMIN_KEY_ENV": "", "GATEWAY_UPSTREAM_ADMIN_KEY_FILE": "/key",
			"GATEWAY_TLS_CERT_FILE": "", "GATEWAY_TLS_KEY_FILE": "", "GATEWAY_TLS_CLIENT_CA_FILE": "",
			"GATEWAY_TLS_SPIFFE_SOCKET": "unix:///s", "GATEWAY_TLS_TRUST_DOMAINS": "[example.org]",
			"GATEWAY_AUTHN_ISSUERS": "[{url: 'https://other.example', audiences: [x]}]",
			"GATEWAY_POLICY":        "other.yaml", "GATEWAY_AUDIT_PATH": "-", "GATEWAY_AUDIT_REQUIRED": "true", "GATEWAY_AUDIT_SYNC": "false", "GATEWAY_AUDIT_HMAC_KEY_ENV": "HMAC", "GATEWAY_AUDIT_HMAC_KEY_FILE": "",
			"GATEWAY_AUDIT_TRUSTED_PROXIES": "[192.0.2.1]", "GATEWAY_AUDIT_FORWARDED_HEADER": "x-forwarded-for",
			"GATEWAY_CACHE_MEMORY": "1GiB", "GATEWAY_CACHE_REDIS_URL": "", "GATEWAY_CACHE_REDIS_PASSWORD_FILE": "", "GATEWAY_CACHE_REDIS_CA_FILE": "", "GATEWAY_CACHE_REDIS_CERT_FILE": "", "GATEWAY_CACHE_REDIS_KEY_FILE": "", "GATEWAY_CACHE_ENCRYPTION_KEYS": "[]",
			"GATEWAY_OPS_TLS_CERT_FILE": "", "GATEWAY_OPS_TLS_KEY_FILE": "", "GATEWAY_OPS_TLS_CLIENT_CA_FILE": "",
			"GATEWAY_CORS_ALLOWED_ORIGINS": "['*']", "GATEWAY_CORS_ALLOW_CREDENTIALS": "false", "GATEWAY_CORS_MAX_AGE": "1m", "GATEWAY_REFLECTION": "false",
			"GATEWAY_LIMITS_HEADER_BYTES": "16KiB", "GATEWAY_LIMITS_REQUEST_BYTES": "4MiB", "GATEWAY_LIMITS_READ_HEADER_TIMEOUT": "11s",
			"GATEWAY_LIMITS_READ_TIMEOUT": "13s", "GATEWAY_LIMITS_IDLE_TIMEOUT": "14s", "GATEWAY_LIMITS_LONGEST_CALL": "15s",
			"GATEWAY_LIMITS_CONCURRENT_STREAMS": "16", "GATEWAY_LIMITS_CONNECTIONS": "17", "GATEWAY_LIMITS_CONNECTION_AGE": "18m", "GATEWAY_LIMITS_POLICY_BYTES": "19MiB",
			"GATEWAY_INVENTORY_CONCURRENCY": "5", "GATEWAY_INVENTORY_LONGEST_STREAM": "2h", "GATEWAY_INVENTORY_OUTERMOST_ITEMS": "3000",
			"GATEWAY_LEASES_PATH": "/var/lib/leases.db", "GATEWAY_LEASES_ORGANIZATION": "other", "GATEWAY_LEASES_SWEEP_INTERVAL": "1h", "GATEWAY_LEASES_KEEP_ENDED": "2h",
			"GATEWAY_SHUTDOWN_DELAY": "0s", "GATEWAY_SHUTDOWN_TIMEOUT": "19s",
			"GATEWAY_LOG_LEVEL": "WARN", "GATEWAY_LOG_CALLS": "all", "GATEWAY_LOG_SLOW": "300ms", "GATEWAY_TELEMETRY_STAGES": "false", "GATEWAY_UPSTREAM_ANSWERS": "lenient", "GATEWAY_UPSTREAM_ID_CHARACTERS": "_@", "GATEWAY_TELEMETRY_OTLP_ENDPOINT": "https://other.example", "GATEWAY_TELEMETRY_OTLP_INSECURE": "false",
			"GATEWAY_TELEMETRY_OTLP_HEADERS": "[{name: a, file: /b}]", "GATEWAY_TELEMETRY_SAMPLE_RATIO": "0.5",
			"GATEWAY_TELEMETRY_SERVICE_NAME": "other", "GATEWAY_TELEMETRY_SEND_TRACEPARENT": "false",
		}, everyVariable},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := loadConfig(writeFile(t, "gateway.yaml", test.file), environment(test.env))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	t.Run("no file", func(t *testing.T) {
		t.Parallel()
		got, err := loadConfig("", environment(required))
		if diff := cmp.Diff(withDefaults, got); err != nil || diff != "" {
			t.Errorf("error %v (-want +got):\n%s", err, diff)
		}
	})
}

func TestLoadConfigErrors(t *testing.T) {
	t.Parallel()
	const key = "policy: p.yaml\nupstream: {admin_key: {env: K}}\n"
	tests := []struct {
		name, file string
		want       []string
	}{
		{"unknown key", key + "lissten: 127.0.0.1:1\n", []string{"gateway.yaml:3:1: ", "lissten"}},
		{"unknown key below", "upstream:\n  admin_key:\n    env: K\n    value: sk-1\n", []string{"gateway.yaml:4:5: ", "value"}},
		{"key twice", key + "listen: a:1\nlisten: b:2\n", []string{"gateway.yaml:4:1: ", "listen"}},
		{"wrong type", "listen: [a, b]\n", []string{"gateway.yaml:1:9: ", "text"}},
		{"no YAML", "listen: \"\n", []string{"gateway.yaml:"}},
		{"no admin key", "", []string{"upstream.admin_key", "exactly one"}},
		{"two admin keys", "upstream: {admin_key: {env: K, file: /k}}", []string{"upstream.admin_key", "exactly one"}},
		{"no policy", "upstream: {admin_key: {env: K}}", []string{"config key policy:", "nobody may call"}},
		{"certificate without key", key + "tls: {cert_file: a}", []string{"config key tls:", "key_file"}},
		{"clients' authorities alone", key + "tls: {client_ca_file: a}", []string{"config key tls:", "cert_file"}},
		{"files and SPIFFE", key + "tls: {cert_file: a, key_file: b, spiffe_socket: c}", []string{"config key tls:", "not from both"}},
		{"trust domains without SPIFFE", key + "tls: {trust_domains: [a]}", []string{"config key tls.trust_domains:"}},
		{"memory of no size", key + "cache: {memory: much}", []string{"gateway.yaml:3:17: ", "64MiB"}},
		{"encryption of nothing", key + "cache: {encryption_keys: [{env: K}]}", []string{"config key cache.encryption_keys", "redis_url"}},
		{"two passwords", key + "cache: {redis_url: 'redis://u:p@h', redis_password: {env: K}}", []string{"config key cache.redis_password", "redis_url has"}},
		{"password from two places", key + "cache: {redis_url: 'redis://u@h', redis_password: {env: K, file: /k}}", []string{"config key cache.redis_password", "either"}},
		{"password of nothing", key + "cache: {redis_password: {env: K}}", []string{"config key cache.redis_password", "goes with"}},
		{"authorities of a Redis without TLS", key + "cache: {redis_url: 'redis://h', redis_ca_file: /ca}", []string{"config key cache.redis_ca_file: redis_url is not rediss://"}},
		{"certificate for a Redis without TLS", key + "cache: {redis_url: 'redis+cluster://h', redis_cert_file: /c, redis_key_file: /k}", []string{"config key cache.redis_cert_file: redis_url is not", "config key cache.redis_key_file: redis_url is not"}},
		{"authorities of no Redis", key + "cache: {redis_ca_file: /ca}", []string{"config key cache.redis_ca_file: goes with redis_url"}},
		{"Redis' certificate without key", key + "cache: {redis_url: 'rediss://h', redis_cert_file: /c}", []string{"config key cache.redis_cert_file: goes with redis_key_file"}},
		{"Redis' key without certificate", key + "cache: {redis_url: 'rediss+sentinel://h?master_name=m', redis_key_file: /k}", []string{"config key cache.redis_key_file: goes with redis_cert_file"}},
		{"jitter beyond all", key + "cache: {jitter: 1.5}", []string{"config key cache.jitter", "0 to 1"}},
		{"life that is not a duration", key + "cache: {lives: [{of: users, fresh: 30}]}", []string{"gateway.yaml:", "a duration such as 30s"}},
		{"three keys", key + "cache: {redis_url: 'redis://h', encryption_keys: [{env: K}, {env: L}, {env: M}]}", []string{"config key cache.encryption_keys", "one or two"}},
		{"negative memory", key + "cache: {memory: -1MiB}", []string{"gateway.yaml:3:17: "}},
		{"required perhaps", key + "audit: {required: perhaps}", []string{"gateway.yaml:3:19: ", "false, true (or writes), sensitive or all"}},
		{"sync of standard output", key + "audit: {sync: true}", []string{"config key audit.sync:", "needs a file"}},
		{"sync of a socket", key + "audit: {path: 'tcp://collector:514', sync: true}", []string{"config key audit.sync:"}},
		{"key from two places", key + "audit: {hmac_key: {env: K, file: /k}}", []string{"config key audit.hmac_key:", "either"}},
		{"proxy without an address", key + "audit: {trusted_proxies: [proxy.example]}", []string{"config key audit.trusted_proxies: proxy.example is not"}},
		{"network with bits of a host", key + "audit: {trusted_proxies: [10.0.0.1/8]}", []string{"config key audit.trusted_proxies:"}},
		{"header of no proxy", key + "audit: {forwarded_header: X-Real-IP}", []string{"gateway.yaml:3:27: ", "X-Forwarded-For or Forwarded"}},
		{"listen without port", key + "listen: 127.0.0.1", []string{"config key listen:", "host:port"}},
		{"door without port", key + "grpc_listen: 127.0.0.1", []string{"config key grpc_listen:", "host:port"}},
		{"vault without port", key + "vault_listen: 127.0.0.1", []string{"config key vault_listen:", "host:port"}},
		{"a mount that climbs", key + "vault: {mount: a/../b}", []string{"config key vault.mount:", "a/../b"}},
		{"a mount of Vault's own", key + "vault: {mount: sys/openai}", []string{"config key vault.mount:", "Vault's own"}},
		{"no mount", key + "vault: {mount: ''}", []string{"config key vault.mount:"}},
		{"a login of Vault's own", key + "vault: {logins: [token]}", []string{"config key vault.logins:", "token"}},
		{"a login twice", key + "vault: {logins: [jwt, jwt]}", []string{"config key vault.logins:", "jwt"}},
		{"a login with a dot", key + "vault: {logins: [a.b]}", []string{"config key vault.logins:", "a.b"}},
		{"too many logins", key + "vault: {logins: [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q]}", []string{"config key vault.logins:", "more than 16"}},
		{"operators' certificate without key", key + "ops_tls: {cert_file: a}", []string{"config key ops_tls:", "go together"}},
		{"operators' authorities alone", key + "ops_tls: {client_ca_file: a}", []string{"config key ops_tls:"}},
		{"origin with a path", key + "cors: {allowed_origins: ['https://a.example/']}", []string{"config key cors.allowed_origins:", "https://a.example/"}},
		{"origin with a wildcard", key + "cors: {allowed_origins: ['https://*.example']}", []string{"config key cors.allowed_origins:"}},
		{"origin in capitals", key + "cors: {allowed_origins: ['https://A.example']}", []string{"config key cors.allowed_origins:"}},
		{"origin without scheme", key + "cors: {allowed_origins: [a.example]}", []string{"config key cors.allowed_origins:"}},
		{"null origin", key + "cors: {allowed_origins: ['null']}", []string{"config key cors.allowed_origins:"}},
		{"credentials for all", key + "cors: {allowed_origins: ['*'], allow_credentials: true}", []string{"config key cors.allow_credentials:", "every page"}},
		{"credentials without origins", key + "cors: {allow_credentials: true}", []string{"config key cors.allow_credentials:", "allowed_origins"}},
		{"preflight for ever", key + "cors: {max_age: 48h}", []string{"config key cors.max_age:", "48h0m0s", "24h0m0s"}},
		{"limits too small", key + "limits: {header_bytes: 1KiB, request_bytes: 0, read_header_timeout: 0s, read_timeout: 0s, idle_timeout: 0s, longest_call: 0s, concurrent_streams: 0, connections: 0, connection_age: 0s, policy_bytes: 1KiB}", []string{
			"limits.header_bytes: 1KiB is not between 4KiB and 1MiB", "limits.request_bytes", "limits.read_header_timeout", "limits.read_timeout", "limits.idle_timeout",
			"limits.longest_call", "limits.concurrent_streams", "limits.connections", "limits.connection_age", "limits.policy_bytes",
		}},
		{"limits too large", key + "limits: {header_bytes: 2MiB, request_bytes: 1GiB, read_header_timeout: 1h, read_timeout: 1h, idle_timeout: 2h, longest_call: 3m, concurrent_streams: 1000000, connections: 1000000, connection_age: 48h, policy_bytes: 1GiB}", []string{
			"limits.header_bytes", "limits.request_bytes", "limits.read_header_timeout", "limits.read_timeout", "limits.idle_timeout",
			"limits.longest_call: 3m0s is not between 1s and 2m0s", "limits.concurrent_streams", "limits.connections", "limits.connection_age", "limits.policy_bytes",
		}},
		{"inventories too small", key + "inventory: {concurrency: 0, longest_stream: 59s, outermost_items: 99}", []string{
			"inventory.concurrency: 0 is not between 1 and 64", "inventory.longest_stream: 59s is not between 1m0s and 12h0m0s", "inventory.outermost_items: 99 is not",
		}},
		{"inventories too large", key + "inventory: {concurrency: 65, longest_stream: 13h, outermost_items: 1000001}", []string{
			"inventory.concurrency", "inventory.longest_stream", "inventory.outermost_items",
		}},
		{"leases in two places", key + "cache: {redis_url: 'redis://r'}\nleases: {path: /l}", []string{"config key leases.path: is for a gateway without Redis"}},
		{"leases nowhere", key + "leases: {organization: acme}", []string{"config key leases.organization: goes with"}},
		{"an organization with a colon", key + "leases: {path: /l, organization: 'a:b'}", []string{"config key leases.organization: is not"}},
		{"an organization that begins with a dash", key + "leases: {path: /l, organization: '-a'}", []string{"config key leases.organization: is not"}},
		{"leases too often", key + "leases: {sweep_interval: 59s, keep_ended: 59m}", []string{"leases.sweep_interval: 59s is not", "leases.keep_ended: 59m0s is not"}},
		{"leases too rarely", key + "leases: {sweep_interval: 25h, keep_ended: 721h}", []string{"leases.sweep_interval", "leases.keep_ended"}},
		{"no connection count", key + "limits: {connections: many}", []string{"gateway.yaml:3:23: ", "number"}},
		{"delay as long as the end", key + "shutdown: {delay: 25s}", []string{"config key shutdown.timeout:", "no time after the delay"}},
		{"endless end", key + "shutdown: {timeout: 1h}", []string{"config key shutdown.timeout:", "15m0s"}},
		{"delay before now", key + "shutdown: {delay: -1s}", []string{"config key shutdown.delay:"}},
		{"reflection perhaps", key + "reflection: perhaps", []string{"gateway.yaml:3:13: ", "true or false"}},
		{"answers in another way", "upstream: {admin_key: {env: K}, answers: loose}", []string{"gateway.yaml:1:42: ", "lenient or strict"}},
		{"level of no name", key + "log: {level: loud}", []string{"gateway.yaml:3:14: ", "debug, info, warn or error"}},
		{"calls of no kind", key + "log: {calls: some}", []string{"gateway.yaml:3:14: ", "failed, all or none"}},
		{"slower than slow", key + "log: {slow: 2h}", []string{"config key log.slow"}},
		{"more than all traces", key + "telemetry: {sample_ratio: 1.5}", []string{"config key telemetry.sample_ratio", "0 to 1"}},
		{"headers without an endpoint", key + "telemetry: {otlp_headers: [{name: a, env: B}]}", []string{"config key telemetry.otlp_endpoint"}},
		{"traceparent of nothing", key + "telemetry: {send_traceparent: true}", []string{"config key telemetry.otlp_endpoint"}},
		{"header without value", key + "telemetry: {otlp_endpoint: 'c:4317', otlp_headers: [{name: a}]}", []string{"config key telemetry.otlp_headers"}},
		{"all at once", "listen: x\nops_listen: y\n", []string{"config key listen:", "config key ops_listen:", "upstream.admin_key", "config key policy:"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := loadConfig(writeFile(t, "gateway.yaml", test.file), environment(nil))
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
		})
	}
	t.Run("variable", func(t *testing.T) {
		t.Parallel()
		_, err := loadConfig("", environment(map[string]string{"GATEWAY_AUTHN_ISSUERS": "[{uri: x}]"}))
		if err == nil || !strings.Contains(err.Error(), `GATEWAY_AUTHN_ISSUERS:1:3: unknown key "uri"`) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("no such file", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "nobody.yaml")
		if _, err := loadConfig(path, environment(nil)); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("error %v", err)
		}
	})
}
