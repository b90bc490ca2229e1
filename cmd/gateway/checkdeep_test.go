package main

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/diagnose"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/output"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/tlstest"
	"github.com/admin-gateway/admin-gateway/internal/redistest"
	"github.com/admin-gateway/admin-gateway/sandbox"
)

// deepRights are what a user of Redis needs for all that a gateway does there, but for a
// ledger.
const deepRights = "on >password-of-redis resetkeys resetchannels -@all ~gw:* &gw:{*}:bus &gw:{*}:fleet +get +set +getrange +del +hset +hget +hmget +time +info +eval +evalsha +publish +subscribe +psubscribe +ping +hgetall +pexpire "

// TestCheckDeep: what is good is said to be, and each thing that is not is a failure or a
// warning of its key, with the exit code. Nothing that is said has a secret, the upstream
// gets one call, and nothing stays.
func TestCheckDeep(t *testing.T) {
	t.Parallel()
	const adminKey = sandbox.DefaultAdminKey
	for name, test := range map[string]struct {
		change  func(t *testing.T, d *deepCheck)
		failure string // key
		warning string // key
	}{
		"all is good": {func(*testing.T, *deepCheck) {}, "", ""},
		"no admin key": {func(t *testing.T, d *deepCheck) {
			t.Helper()
			d.remove(t, "admin-key")
		}, "upstream.admin_key", ""},
		"an admin key that is refused": {func(t *testing.T, d *deepCheck) {
			t.Helper()
			d.write(t, "admin-key", "sk-admin-another")
		}, "upstream.admin_key", ""},
		"an admin key that all may read": {func(t *testing.T, d *deepCheck) {
			t.Helper()
			if err := os.Chmod(filepath.Join(d.folder, "admin-key"), 0o604); err != nil {
				t.Fatal(err)
			}
		}, "", "upstream.admin_key"},
		"an upstream that is away": {func(_ *testing.T, d *deepCheck) { d.set("UPSTREAM", "http://127.0.0.1:1") }, "upstream.base_url", ""},
		"a wrong password": {func(t *testing.T, d *deepCheck) {
			t.Helper()
			d.write(t, "redis-password", "wrong")
		}, "cache.redis_url", ""},
		"a Redis that is away":          {func(_ *testing.T, d *deepCheck) { d.set("REDIS", "127.0.0.1:1") }, "cache.redis_url", ""},
		"a user who may not publish":    {func(t *testing.T, d *deepCheck) { t.Helper(); d.may(t, "-publish") }, "cache.redis_url", ""},
		"a user who may not count":      {func(t *testing.T, d *deepCheck) { t.Helper(); d.may(t, "-pexpire") }, "cache.redis_url", ""},
		"a Redis that forgets":          {func(t *testing.T, d *deepCheck) { t.Helper(); d.configure(t, "appendonly", "no") }, "", "cache.redis_url"},
		"a short key for Redis":         {func(t *testing.T, d *deepCheck) { t.Helper(); d.write(t, "encryption-key", "c2hvcnQ=") }, "cache.encryption_keys", ""},
		"a certificate without its key": {func(t *testing.T, d *deepCheck) { t.Helper(); d.write(t, "tls.key", "") }, "tls.cert_file", ""},
		"no authorities":                {func(t *testing.T, d *deepCheck) { t.Helper(); d.remove(t, "ca.crt") }, "tls.client_ca_file", ""},
		"no folder for records":         {func(_ *testing.T, d *deepCheck) { d.set("FOLDER/audit.jsonl", d.folder+"/none/audit.jsonl") }, "audit.path", ""},
		"an address of another machine": {func(_ *testing.T, d *deepCheck) { d.set("listen: 127.0.0.1:0\nops", "listen: 192.0.2.1:8080\nops") }, "listen", ""},
		"a collector that is away":      {func(_ *testing.T, d *deepCheck) { d.set("COLLECTOR", "127.0.0.1:1") }, "telemetry.otlp_endpoint", ""},
		"an issuer that is away":        {func(_ *testing.T, d *deepCheck) { d.set("ISSUER", "http://127.0.0.1:1") }, "authn.issuers[0]", ""},
		"a token that has expired":      {func(_ *testing.T, d *deepCheck) { d.set("2099-01-01", "2020-01-01") }, "policy", ""},
		"a ledger of a later build":     {func(t *testing.T, d *deepCheck) { t.Helper(); d.put(t, "gw:{org}:lease:meta", "schema", "999") }, "leases.organization", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDeepCheck(t)
			test.change(t, d)
			code, text, findings := d.run(t)
			has := func(level diagnose.Level, key string) (found bool) {
				for _, f := range findings {
					found = found || !strings.Contains(f.Text, slowness) && f.Level == level && (f.Key == key || key == "")
				}
				return found
			}
			switch {
			case (code == 1) != (test.failure != "") || has(diagnose.Failure, "") != (test.failure != "") || test.failure != "" && !has(diagnose.Failure, test.failure):
				t.Errorf("exit code %d, want a failure of %q:\n%s", code, test.failure, text)
			case test.failure == "" && has(diagnose.Warning, "") != (test.warning != "") || test.warning != "" && !has(diagnose.Warning, test.warning):
				t.Errorf("want a warning of %q:\n%s", test.warning, text)
			}
			for _, secret := range []string{adminKey, "sk-admin-another", "password-of-redis", d.encryptionKey} {
				if strings.Contains(text, secret) {
					t.Errorf("says %q:\n%s", secret, text)
				}
			}
			if n := d.calls.Load(); n > 1 || n != 1 && test.failure == "" {
				t.Errorf("the upstream got %d calls", n)
			}
			d.leftNothing(t)
		})
	}
}

// slowness is in what is said of a machine that does too much else.
const slowness = "an answer took"

// deepCheck is a config with all that can be looked at, its surroundings, and what is put
// in the place of its words.
type deepCheck struct {
	folder, redis, encryptionKey string
	words                        []string
	calls                        atomic.Int64
}

func newDeepCheck(t *testing.T) *deepCheck {
	t.Helper()
	d := &deepCheck{folder: t.TempDir(), encryptionKey: "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}
	fake := sandbox.New(sandbox.Options{Seed: 1})
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.calls.Add(1)
		fake.ServeHTTP(w, r)
	}))
	t.Cleanup(upstream.Close)
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"keys": [{"kty": "EC", "crv": "P-256", "kid": "1", "use": "sig", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`))
	}))
	t.Cleanup(issuer.Close)
	collector, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = collector.Close() })
	d.redis = redistest.Start(t)
	d.configure(t, "appendonly", "yes")
	redistest.SetUser(t, d.redis, "gw", deepRights)
	authority := tlstest.NewAuthority(t)
	authority.WriteTo(d.folder, authority.Issue("gateway.example"), "tls.crt", "tls.key", "ca.crt")
	d.write(t, "admin-key", sandbox.DefaultAdminKey)
	d.write(t, "redis-password", "password-of-redis")
	d.write(t, "encryption-key", d.encryptionKey)
	d.words = []string{"UPSTREAM", upstream.URL, "ISSUER", issuer.URL, "COLLECTOR", collector.Addr().String(), "REDIS", d.redis, "FOLDER", d.folder}
	return d
}

func (d *deepCheck) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(d.folder, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (d *deepCheck) remove(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(d.folder, name)); err != nil {
		t.Fatal(err)
	}
}

// set puts a text in the place of a word; the first one counts.
func (d *deepCheck) set(word, text string) { d.words = append([]string{word, text}, d.words...) }

// may changes what the user of Redis may do.
func (d *deepCheck) may(t *testing.T, rules string) {
	t.Helper()
	redistest.SetUser(t, d.redis, "gw", deepRights+rules)
}

func (d *deepCheck) configure(t *testing.T, key, value string) {
	t.Helper()
	if err := redistest.Client(t, d.redis).ConfigSet(t.Context(), key, value).Err(); err != nil {
		t.Fatal(err)
	}
}

func (d *deepCheck) put(t *testing.T, key, field, value string) {
	t.Helper()
	if err := redistest.Client(t, d.redis).HSet(t.Context(), key, field, value).Err(); err != nil {
		t.Fatal(err)
	}
}

// run checks, as JSON, and returns what was said.
func (d *deepCheck) run(t *testing.T) (code int, text string, findings []diagnose.Finding) {
	t.Helper()
	d.write(t, "policy.yaml", strings.NewReplacer(d.words...).Replace(`callers:
  - name: a
    authenticate:
      - {token_sha256: 7897040ca114f88695a8b3ce622533dbc60016ac70a476ee58bc9b29ce09cdf7, expires: 2099-01-01T00:00:00Z}
      - {jwt: {issuer: "ISSUER", subject: a}}
      - {spiffe_id: "spiffe://example.org/a"}
    grants: [{permissions: ["*.read"]}]
`))
	d.write(t, "gateway.yaml", strings.NewReplacer(d.words...).Replace(`listen: 127.0.0.1:0
ops_listen: 127.0.0.1:0
tls: {cert_file: FOLDER/tls.crt, key_file: FOLDER/tls.key, client_ca_file: FOLDER/ca.crt}
upstream: {base_url: "UPSTREAM/v1", admin_key: {file: FOLDER/admin-key}}
authn: {issuers: [{url: "ISSUER", audiences: [gateway], jwks_url: "ISSUER/keys"}]}
cache:
  redis_url: redis://gw@REDIS/0
  redis_password: {file: FOLDER/redis-password}
  encryption_keys: [{file: FOLDER/encryption-key}]
leases: {organization: org}
audit: {path: FOLDER/audit.jsonl}
telemetry: {otlp_endpoint: "COLLECTOR", otlp_insecure: true}
policy: FOLDER/policy.yaml
`))
	var out, failed bytes.Buffer
	code = run(t.Context(), []string{"check", "--deep", "--format", "json", "--config", filepath.Join(d.folder, "gateway.yaml")}, streams{&out, &failed})
	if err := json.Unmarshal(out.Bytes(), &findings); err != nil {
		t.Fatalf("%v: %s%s", err, &out, &failed)
	}
	return code, out.String() + failed.String(), findings
}

// leftNothing looks for what the check has made.
func (d *deepCheck) leftNothing(t *testing.T) {
	t.Helper()
	keys, err := redistest.Client(t, d.redis).Keys(t.Context(), "*").Result()
	for _, key := range keys {
		// The budget is that of the upstream, and expires by itself.
		if !strings.Contains(key, "}:p") && key != "gw:{org}:lease:meta" {
			t.Errorf("left the key %s in Redis", key)
		}
	}
	left, globErr := filepath.Glob(filepath.Join(d.folder, ".gateway-check-*"))
	if err != nil || globErr != nil || len(left) > 0 {
		t.Errorf("left %v, %v, %v", left, err, globErr)
	}
	if _, err := os.Stat(filepath.Join(d.folder, "audit.jsonl")); err == nil {
		t.Error("left a file for records")
	}
}

// TestCheckDeepForPeople: a line for each finding, that begins with its level and key.
func TestCheckDeepForPeople(t *testing.T) {
	t.Parallel()
	d := newDeepCheck(t)
	d.run(t)
	var out bytes.Buffer
	if code := run(t.Context(), []string{"check", "--deep", "--config", filepath.Join(d.folder, "gateway.yaml")}, streams{&out, &out}); code != 0 {
		t.Errorf("exit code %d:\n%s", code, &out)
	}
	for line := range strings.Lines(out.String()) {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[0] != string(diagnose.OK) && !strings.Contains(line, slowness) || output.Printable(line[:len(line)-1]) != line[:len(line)-1] {
			t.Errorf("line %q", line)
		}
	}
}
