package service_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/lease/broker"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service/vaultdoor"
)

// vaultCallers are callers of Vault's door beside those of leasePolicy.
const vaultCallers = `
  - name: pod
    authenticate: [{jwt: {issuer: "` + admissiontest.Issuer + `", subject: "system:serviceaccount:search:indexer"}}]
    grants:
      - {permissions: [leases.create, leases.renew, leases.revoke, leases.read], roles: [search]}
      - {permissions: [sessions.*]}
    limits: $free
    leases: {max_live: 20, mints_per_hour: 100}
  - name: slow
    authenticate: [{token_sha256: $slow}]
    grants: [{permissions: [sessions.*]}]
    limits: {requests_per_second: 0.01, burst: 1, concurrent: 1}
`

const podSubject = "system:serviceaccount:search:indexer"

// vaultRig is a gateway with leases, a sandbox, an issuer of JWTs, and Vault's door.
type vaultRig struct {
	*leaseRig

	issuer *jwtIssuer
	url    string
	client *http.Client
}

func newVaultRig(t *testing.T, options ...gatewaytest.Option) *vaultRig {
	t.Helper()
	issuer := newJWTIssuer(t)
	box := gatewaytest.NewSandbox(t, sandbox.Options{})
	keys, err := box.ProjectKeys("")
	if err != nil {
		t.Fatal(err)
	}
	project := keys[0].ProjectID
	built := gatewaytest.New(t, append([]gatewaytest.Option{
		gatewaytest.WithSandbox(box), gatewaytest.WithPolicy(leasePolicy(project) + vaultCallers), issuer.trusted(t),
		gatewaytest.WithLeases(broker.KeeperOptions{Tick: 50 * time.Millisecond}),
	}, options...)...)
	r := &vaultRig{leaseRig: &leaseRig{built, project, box}, issuer: issuer}
	door, err := vaultdoor.New(r.Server, r.Catalog, vaultdoor.Options{Mount: "openai", Logins: []string{"jwt", "clusters/eu"}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(door.Handler())
	t.Cleanup(server.Close)
	r.url, r.client = server.URL, server.Client()
	t.Cleanup(r.client.CloseIdleConnections)
	return r
}

// vaultAnswer is an answer of the door.
type vaultAnswer struct {
	status int
	header http.Header
	text   string

	RequestID     string         `json:"request_id"`
	LeaseID       string         `json:"lease_id"`
	Renewable     bool           `json:"renewable"`
	LeaseDuration int            `json:"lease_duration"`
	Data          map[string]any `json:"data"`
	Warnings      []string       `json:"warnings"`
	Auth          *struct {
		ClientToken   string   `json:"client_token"`
		LeaseDuration int      `json:"lease_duration"`
		Policies      []string `json:"policies"`
		Renewable     bool     `json:"renewable"`
	} `json:"auth"`
	Errors []string `json:"errors"`
}

// do sends a request with a token; a header is name: value.
func (r *vaultRig) do(t *testing.T, token, method, path, body string, headers ...string) *vaultAnswer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, r.url+"/v1/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("X-Vault-Token", token)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Add(name, value)
	}
	response, err := r.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	answer := &vaultAnswer{status: response.StatusCode, header: response.Header, text: string(text)}
	if len(text) > 0 {
		if err := json.Unmarshal(text, answer); err != nil {
			t.Fatalf("%s %s: %d %s: %v", method, path, response.StatusCode, text, err)
		}
	}
	if got := response.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("%s %s: Cache-Control %q", method, path, got)
	}
	return answer
}

// as is do with the token of a caller.
func (r *vaultRig) by(t *testing.T, caller, method, path, body string, headers ...string) *vaultAnswer {
	t.Helper()
	return r.do(t, admissiontest.TokenOf(caller), method, path, body, headers...)
}

// want fails unless the answer has a status, and, for an error, words of its message.
func (a *vaultAnswer) want(t *testing.T, what string, status int, words ...string) *vaultAnswer {
	t.Helper()
	if a.status != status {
		t.Fatalf("%s: %d %s, want %d", what, a.status, a.text, status)
	}
	if status >= 400 && len(a.Errors) == 0 {
		t.Errorf("%s: an error without errors: %s", what, a.text)
	}
	for _, word := range words {
		if !strings.Contains(a.text, word) {
			t.Errorf("%s: %s, want %q in it", what, a.text, word)
		}
	}
	return a
}

func (a *vaultAnswer) field(t *testing.T, name string) string {
	t.Helper()
	text, ok := a.Data[name].(string)
	if !ok || text == "" {
		t.Fatalf("no %s in %s", name, a.text)
	}
	return text
}

// login exchanges a JWT of the pod for a token.
func (r *vaultRig) login(t *testing.T, life time.Duration) *vaultAnswer {
	t.Helper()
	return r.do(t, "", http.MethodPost, "auth/jwt/login", `{"role": "any", "jwt": "`+r.issuer.token(t, podSubject, life)+`"}`)
}
