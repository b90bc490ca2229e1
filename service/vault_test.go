package service_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"

	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1/leasev1connect"
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/service/audit"
)

// TestVaultLease: a lease in Vault's envelopes, from its key to its end.
func TestVaultLease(t *testing.T) {
	t.Parallel()
	r := newVaultRig(t)
	for name, ask := range map[string]func() *vaultAnswer{
		"GET with a query": func() *vaultAnswer { return r.by(t, "ann", http.MethodGet, "openai/creds/search?ttl=30m", "") },
		"PUT with a body":  func() *vaultAnswer { return r.by(t, "ann", http.MethodPut, "openai/creds/search", `{"ttl": 1800}`) },
		"POST with a text": func() *vaultAnswer { return r.by(t, "ann", http.MethodPost, "openai/creds/search", `{"ttl": "1800"}`) },
	} {
		made := ask().want(t, name, http.StatusOK)
		if !strings.HasPrefix(made.LeaseID, "openai/creds/search/") || !made.Renewable || made.LeaseDuration < 1790 || made.LeaseDuration > 1800 || made.RequestID == "" {
			t.Errorf("%s: %s", name, made.text)
		}
		if made.RequestID != made.header.Get("X-Request-Id") || made.Warnings != nil {
			t.Errorf("%s: request %q in the answer, %q in its header, warnings %v", name, made.RequestID, made.header.Get("X-Request-Id"), made.Warnings)
		}
		key, ok := r.sandbox.Key(made.field(t, "api_key"))
		if !ok || !key.Alive || key.ID != made.field(t, "api_key_id") || key.AccountID != made.field(t, "service_account_id") || r.project != made.field(t, "project_id") {
			t.Errorf("%s: %+v in the sandbox, %s", name, key, made.text)
		}
		secret := made.field(t, "api_key")
		id := `{"lease_id": "` + made.LeaseID + `"`
		looked := r.by(t, "ann", http.MethodPut, "sys/leases/lookup", id+"}").want(t, "lookup", http.StatusOK)
		if looked.field(t, "id") != made.LeaseID || looked.Data["renewable"] != true || looked.field(t, "expire_time") != made.field(t, "expires_at") || strings.Contains(looked.text, secret) {
			t.Errorf("%s: looked up as %s", name, looked.text)
		}
		renewed := r.by(t, "ann", http.MethodPut, "sys/leases/renew", id+`, "increment": 7200}`).want(t, "renew", http.StatusOK)
		if renewed.LeaseID != made.LeaseID || renewed.LeaseDuration < 7190 || renewed.LeaseDuration > 7200 || !renewed.Renewable {
			t.Errorf("%s: renewed as %s", name, renewed.text)
		}
		for _, path := range []string{"sys/leases/renew/" + made.LeaseID, "sys/renew/" + made.LeaseID} {
			r.by(t, "ann", http.MethodPut, path, "").want(t, path, http.StatusOK)
		}
		r.by(t, "ann", http.MethodPut, "sys/renew", id+"}").want(t, "the older path", http.StatusOK)
		r.by(t, "ann", http.MethodPut, "sys/leases/revoke", id+`, "sync": true}`).want(t, "revoke", http.StatusNoContent)
		if r.sandbox.KeyAlive(secret) {
			t.Errorf("%s: the key lives on after it was revoked", name)
		}
		r.by(t, "ann", http.MethodPut, "sys/leases/renew", id+"}").want(t, "renew what is over", http.StatusBadRequest, "over")
		r.by(t, "ann", http.MethodPut, "sys/leases/lookup", id+"}").want(t, "look up what is over", http.StatusBadRequest, "over")
		r.by(t, "ann", http.MethodPut, "sys/revoke/"+made.LeaseID, "").want(t, "revoke what is over", http.StatusNoContent)
	}
}

// TestVaultRepetition: a request that names itself gives the same lease, until its secret
// is acknowledged. One that does not gives a new one.
func TestVaultRepetition(t *testing.T) {
	t.Parallel()
	r := newVaultRig(t)
	ask := func(headers ...string) *vaultAnswer {
		return r.by(t, "ann", http.MethodGet, "openai/creds/search", "", headers...)
	}
	one, again, other := ask("Idempotency-Key: deploy-7"), ask("Idempotency-Key: deploy-7"), ask()
	if one.LeaseID != again.LeaseID || one.field(t, "api_key") != again.field(t, "api_key") || other.LeaseID == one.LeaseID {
		t.Errorf("%s, repeated %s, without a name %s", one.LeaseID, again.LeaseID, other.LeaseID)
	}
	r.by(t, "ann", http.MethodPut, "sys/leases/renew/"+one.LeaseID, "").want(t, "renew", http.StatusOK)
	ask("Idempotency-Key: deploy-7").want(t, "after the first renewal", http.StatusConflict, "not kept")
}

// TestVaultLeasesOfOthers: a caller cannot look up, renew or revoke the lease of another,
// nor learn that there is one.
func TestVaultLeasesOfOthers(t *testing.T) {
	t.Parallel()
	r := newVaultRig(t)
	made := r.by(t, "ann", http.MethodGet, "openai/creds/search", "").want(t, "a lease of ann's", http.StatusOK)
	const none = "openai/creds/search/00000000000000000000000000"
	for _, path := range []string{"sys/leases/lookup", "sys/leases/renew", "sys/leases/revoke", "sys/renew", "sys/revoke"} {
		of := func(id string) *vaultAnswer {
			return r.by(t, "bob", http.MethodPut, path, `{"lease_id": "`+id+`"}`).want(t, path+" by bob", http.StatusBadRequest)
		}
		if theirs, nobodys := of(made.LeaseID), of(none); theirs.text != nobodys.text {
			t.Errorf("%s: ann's is %s, none is %s", path, theirs.text, nobodys.text)
		}
	}
	r.by(t, "bob", http.MethodPut, "sys/leases/revoke-prefix/openai/creds/search", "").want(t, "bob revokes all", http.StatusNoContent)
	if !r.sandbox.KeyAlive(made.field(t, "api_key")) {
		t.Error("bob has revoked ann's lease")
	}
	r.by(t, "root", http.MethodPut, "sys/leases/revoke-prefix/openai/creds/search", "").want(t, "root revokes all", http.StatusNoContent)
	r.by(t, "ann", http.MethodPut, "sys/leases/renew/"+made.LeaseID, "").want(t, "renew what root has revoked", http.StatusBadRequest)
	for _, prefix := range []string{"openai/creds", "other/creds/search", "openai/creds/search/" + made.LeaseID} {
		r.by(t, "root", http.MethodPut, "sys/leases/revoke-prefix/"+prefix, "").want(t, prefix, http.StatusBadRequest, "prefix")
	}
	for _, id := range []string{"", "x", made.LeaseID[len("openai/creds/search/"):], "other/creds/search/x", "openai/creds/x", "openai/creds/search/x/y"} {
		r.by(t, "ann", http.MethodPut, "sys/leases/lookup", `{"lease_id": "`+id+`"}`).want(t, "the id "+id, http.StatusBadRequest, "lease_id")
	}
}

// TestVaultLogin: the token of a login is the caller's at every door, for as long as the
// policy says so, and until it is revoked.
func TestVaultLogin(t *testing.T) {
	t.Parallel()
	r := newVaultRig(t)
	token := r.login(t, 24*time.Hour).want(t, "login", http.StatusOK)
	if a := token.Auth; a.LeaseDuration < 3590 || a.LeaseDuration > 3600 || a.Renewable || len(a.Policies) != 1 || a.Policies[0] != "default" {
		t.Errorf("the token: %s", token.text)
	}
	if short := r.login(t, 10*time.Minute).Auth; short.LeaseDuration < 590 || short.LeaseDuration > 600 {
		t.Errorf("a login with a JWT of 10 minutes lasts %d s", short.LeaseDuration)
	}
	made := r.do(t, token.Auth.ClientToken, http.MethodGet, "openai/creds/search", "").want(t, "a lease", http.StatusOK)
	client := leasev1connect.NewLeaseServiceClient(connect.NewClient(r.InProcess(), bearer(token.Auth.ClientToken)))
	leases, err := client.ListLeases(t.Context(), &leasev1.ListLeasesRequest{})
	if err != nil || len(leases.GetLeases()) != 1 || leases.GetLeases()[0].GetCaller() != "pod" || !strings.HasSuffix(made.LeaseID, leases.GetLeases()[0].GetId()) {
		t.Errorf("at another door: %v, %v", leases, err)
	}
	// The lease is the identity's, and not the token's.
	jwt := r.issuer.token(t, podSubject, time.Hour)
	r.do(t, "", http.MethodPut, "sys/leases/renew/"+made.LeaseID, "", "Authorization: Bearer "+jwt).want(t, "renewed with a JWT", http.StatusOK)

	self := r.do(t, token.Auth.ClientToken, http.MethodGet, "auth/token/lookup-self", "").want(t, "lookup-self", http.StatusOK)
	if self.field(t, "display_name") != "pod" || self.field(t, "id") != token.Auth.ClientToken || strings.Contains(self.text, "leases.create") {
		t.Errorf("looked up as %s", self.text)
	}
	r.do(t, token.Auth.ClientToken, http.MethodPost, "auth/token/lookup", `{"token": "`+token.Auth.ClientToken+`"}`).want(t, "lookup of itself", http.StatusOK)
	r.do(t, token.Auth.ClientToken, http.MethodPost, "auth/token/lookup", `{"token": "`+admissiontest.TokenOf("ann")+`"}`).want(t, "lookup of another", http.StatusBadRequest)
	if kept := r.do(t, token.Auth.ClientToken, http.MethodPut, "auth/token/renew-self", `{"increment": 90000}`).want(t, "renew-self", http.StatusOK); kept.Auth.LeaseDuration > 3600 || kept.Auth.ClientToken != token.Auth.ClientToken {
		t.Errorf("renewed as %s", kept.text)
	}
	other := r.login(t, time.Hour).Auth.ClientToken
	r.do(t, token.Auth.ClientToken, http.MethodPost, "auth/token/revoke-self", "").want(t, "revoke-self", http.StatusNoContent)
	r.do(t, token.Auth.ClientToken, http.MethodGet, "auth/token/lookup-self", "").want(t, "after revoke-self", http.StatusForbidden, "permission denied")
	if _, err := client.ListLeases(t.Context(), &leasev1.ListLeasesRequest{}); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("at another door after revoke-self: %v", err)
	}
	r.do(t, other, http.MethodGet, "auth/token/lookup-self", "").want(t, "another token of the caller", http.StatusOK)
	r.Policy.Set(t, leasePolicy(r.project))
	r.do(t, other, http.MethodGet, "auth/token/lookup-self", "").want(t, "after the caller was taken out", http.StatusForbidden, "permission denied")
}

func bearer(token string) connect.ClientInterceptor {
	return func(next connect.ClientFunc) connect.ClientFunc {
		return func(ctx context.Context, spec connect.Spec) (connect.ClientStream, error) {
			if info, ok := connect.CallInfoForClientContext(ctx); ok {
				info.RequestHeader().Set("Authorization", "Bearer "+token)
			}
			return next(ctx, spec)
		}
	}
}

// TestVaultLoginRefuses: a login is of a JWT that the gateway accepts, and of no other
// credential, whatever comes beside it.
func TestVaultLoginRefuses(t *testing.T) {
	t.Parallel()
	r := newVaultRig(t)
	ann := admissiontest.TokenOf("ann")
	session := r.login(t, time.Hour).Auth.ClientToken
	for name, test := range map[string]struct {
		token, body string
		status      int
		words       string
	}{
		"a subject that is no caller":   {"", `{"jwt": "` + r.issuer.token(t, "nobody", time.Hour) + `"}`, 403, "permission denied"},
		"an expired JWT":                {"", `{"jwt": "` + r.issuer.token(t, podSubject, -time.Hour) + `"}`, 403, "permission denied"},
		"another issuer's JWT":          {"", `{"jwt": "` + newJWTIssuer(t).token(t, podSubject, time.Hour) + `"}`, 403, "permission denied"},
		"no JWT":                        {"", `{"role": "x"}`, 403, "permission denied"},
		"no JWT, beside a token":        {ann, `{"role": "x"}`, 403, "permission denied"},
		"no body":                       {"", ``, 403, "permission denied"},
		"not an object":                 {"", `["jwt"]`, 400, "body"},
		"two JWTs":                      {"", `{"jwt": "a", "jwt": "b"}`, 400, "body"},
		"a JWT that is a number":        {"", `{"jwt": 7}`, 403, "permission denied"},
		"a token in place of the JWT":   {"", `{"jwt": "` + admissiontest.TokenOf("root") + `"}`, 400, "a session is made of a JWT"},
		"a session in place of the JWT": {"", `{"jwt": "` + session + `"}`, 400, "a session is made of a JWT"},
		"a caller without permission":   {"", `{"jwt": "` + ann + `"}`, 403, "sessions.create"},
	} {
		r.do(t, test.token, http.MethodPost, "auth/jwt/login", test.body).want(t, name, test.status, test.words)
	}
	jwt := r.issuer.token(t, podSubject, time.Hour)
	r.do(t, "", http.MethodPut, "auth/clusters/eu/login", `{"jwt": "`+jwt+`"}`).want(t, "a login of another name", http.StatusOK)
	r.do(t, ann, http.MethodPut, "auth/jwt/login", `{"jwt": "`+jwt+`"}`).want(t, "beside another's token", http.StatusOK, `"caller":"pod"`)
	r.do(t, jwt, http.MethodPut, "auth/kubernetes/login", `{"jwt": "`+jwt+`"}`).want(t, "a login that is not configured", http.StatusNotFound, "no handler for route")
	r.by(t, "root", http.MethodPut, "auth/token/revoke-self", "").want(t, "a token that the policy has", http.StatusBadRequest, "not a session")
}

// TestVaultStaticRole: the key of a static role, until it is rotated.
func TestVaultStaticRole(t *testing.T) {
	t.Parallel()
	r := newVaultRig(t)
	read := r.by(t, "ann", http.MethodGet, "openai/static-creds/site", "").want(t, "read", http.StatusOK)
	if ttl, ok := read.Data["ttl"].(float64); !ok || ttl <= 0 || ttl > 6*3600 || read.Data["rotation_period"] != float64(6*3600) || read.LeaseID != "" || read.Renewable || read.LeaseDuration != 0 {
		t.Errorf("read as %s", read.text)
	}
	if !r.sandbox.KeyAlive(read.field(t, "api_key")) {
		t.Error("the key does not work")
	}
	r.by(t, "ann", http.MethodPost, "openai/rotate-role/site", "").want(t, "rotated by ann", http.StatusForbidden, "leases.rotate_static")
	r.by(t, "root", http.MethodPost, "openai/rotate-role/site", "").want(t, "rotated", http.StatusNoContent)
	if again := r.by(t, "ann", http.MethodGet, "openai/static-creds/site", ""); again.field(t, "api_key_id") == read.field(t, "api_key_id") || !r.sandbox.KeyAlive(again.field(t, "api_key")) {
		t.Errorf("after the rotation: %s", again.text)
	}
	r.by(t, "ann", http.MethodGet, "openai/creds/site", "").want(t, "a lease of a static role", http.StatusBadRequest, "role")
}

// TestVaultRefusals: what is no request of this door, in Vault's words.
func TestVaultRefusals(t *testing.T) {
	t.Parallel()
	r := newVaultRig(t)
	for name, test := range map[string]struct {
		caller, method, path, body string
		headers                    []string
		status                     int
		words                      string
	}{
		"no token":                  {"", "GET", "openai/creds/search", "", nil, 403, "permission denied"},
		"an unknown token":          {"stranger", "GET", "openai/creds/search", "", nil, 403, "permission denied"},
		"two tokens":                {"ann", "GET", "openai/creds/search", "", []string{"X-Vault-Token: x"}, 403, "permission denied"},
		"a role without a grant":    {"bob", "GET", "openai/creds/batch", "", nil, 403, "permission denied: the caller lacks"},
		"a role that there is not":  {"ann", "GET", "openai/creds/none", "", nil, 403, "permission denied"},
		"a namespace":               {"ann", "GET", "openai/creds/search", "", []string{"X-Vault-Namespace: team"}, 400, "X-Vault-Namespace"},
		"an empty namespace":        {"ann", "GET", "openai/creds/search", "", []string{"X-Vault-Namespace: "}, 200, ""},
		"wrapping":                  {"ann", "GET", "openai/creds/search", "", []string{"X-Vault-Wrap-TTL: 60s"}, 400, "wrapping"},
		"another mount":             {"ann", "GET", "secret/data/x", "", nil, 404, `no handler for route \"secret/data/x\". route entry not found.`},
		"an unknown path, unknown":  {"", "GET", "secret/data/x", "", nil, 403, "permission denied"},
		"a verb that there is not":  {"ann", "DELETE", "openai/creds/search", "", nil, 405, "unsupported operation"},
		"a segment too much":        {"ann", "GET", "openai/creds/search/x", "", nil, 404, "no handler"},
		"an escaped path":           {"ann", "GET", "openai/creds%2fsearch", "", nil, 404, "no handler"},
		"a path that climbs":        {"ann", "GET", "openai/x/../creds/search", "", nil, 404, "no handler"},
		"an empty segment":          {"ann", "GET", "openai//creds/search", "", nil, 404, "no handler"},
		"a long path":               {"ann", "PUT", "sys/leases/renew/openai/creds/search/" + strings.Repeat("x", 1024), "", nil, 404, "no handler"},
		"not JSON":                  {"ann", "PUT", "openai/creds/search", "ttl=1h", nil, 400, "body"},
		"a ttl that is none":        {"ann", "PUT", "openai/creds/search", `{"ttl": "soon"}`, nil, 400, "ttl"},
		"a ttl beyond all bounds":   {"ann", "PUT", "openai/creds/search", `{"ttl": 99999999999}`, nil, 400, "ttl"},
		"a negative ttl":            {"ann", "GET", "openai/creds/search?ttl=-1", "", nil, 400, "ttl"},
		"a compressed body":         {"ann", "PUT", "openai/creds/search", "x", []string{"Content-Encoding: gzip"}, 400, "compressed"},
		"a large body":              {"ann", "PUT", "openai/creds/search", `{"x": "` + strings.Repeat("x", 40<<10) + `"}`, nil, 413, "larger"},
		"a parameter without sense": {"ann", "PUT", "openai/creds/search", `{"tll": "1h"}`, nil, 200, "parameters: [tll]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token := ""
			if test.caller != "" {
				token = admissiontest.TokenOf(test.caller)
			}
			answer := r.do(t, token, test.method, test.path, test.body, test.headers...).want(t, name, test.status, test.words)
			if allow := answer.header.Get("Allow"); test.status == http.StatusMethodNotAllowed && allow != "GET, POST, PUT" {
				t.Errorf("Allow: %q", allow)
			}
		})
	}
}

// TestVaultLimits: a caller beyond its rate learns when to come back, and the call is
// limited, counted and recorded like that of any other door.
func TestVaultLimits(t *testing.T) {
	t.Parallel()
	r := newVaultRig(t, gatewaytest.WithTelemetry())
	r.by(t, "slow", http.MethodGet, "auth/token/lookup-self", "").want(t, "the first call", http.StatusOK)
	limited := r.by(t, "slow", http.MethodGet, "auth/token/lookup-self", "").want(t, "the second", http.StatusTooManyRequests)
	if limited.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	recorded := slices.IndexFunc(r.Records.All(), func(record audit.Record) bool {
		return record.RequestID == limited.header.Get("X-Request-Id") && record.Caller == "slow" && strings.HasSuffix(record.Method, "SessionService/GetSession") && record.Decision == audit.DecisionLimited
	})
	if recorded < 0 {
		t.Error("the call has no record")
	}
	families, err := r.Metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprint(families); !strings.Contains(text, `value:"vault"`) {
		t.Error("no metric has the door")
	}
}

// TestVaultOpenPaths: what needs no credential says nothing of any caller.
func TestVaultOpenPaths(t *testing.T) {
	t.Parallel()
	r := newVaultRig(t)
	mount := r.do(t, "", http.MethodGet, "sys/internal/ui/mounts/openai/creds/search", "").want(t, "a mount", http.StatusOK)
	if mount.field(t, "path") != "openai/" || mount.field(t, "type") != "openai" {
		t.Errorf("the mount: %s", mount.text)
	}
	r.do(t, "", http.MethodGet, "sys/internal/ui/mounts", "").want(t, "all mounts", http.StatusOK, `"openai/"`)
	r.do(t, "", http.MethodGet, "sys/internal/ui/mounts/secret/x", "").want(t, "another mount", http.StatusForbidden, "permission denied")
}

// TestVaultSecretsAreNowhere: neither the key of a lease nor the token of a login is in a
// record or in the log.
func TestVaultSecretsAreNowhere(t *testing.T) {
	t.Parallel()
	r := newVaultRig(t, gatewaytest.WithLogs())
	jwt := r.issuer.token(t, podSubject, time.Hour)
	token := r.do(t, "", http.MethodPost, "auth/jwt/login", `{"jwt": "`+jwt+`"}`).want(t, "login", http.StatusOK).Auth.ClientToken
	key := r.do(t, token, http.MethodGet, "openai/creds/search", "").want(t, "a lease", http.StatusOK).field(t, "api_key")
	r.do(t, token, http.MethodGet, "auth/token/lookup-self", "").want(t, "lookup-self", http.StatusOK)
	said := r.Logs.Text() + fmt.Sprintf("%+v", r.Records.All())
	for name, secret := range map[string]string{"the JWT": jwt, "the token": token, "the key": key} {
		if strings.Contains(said, secret) {
			t.Errorf("%s was kept", name)
		}
	}
	if !strings.Contains(said, "system:serviceaccount:search:indexer") {
		t.Error("no record names the subject")
	}
}
