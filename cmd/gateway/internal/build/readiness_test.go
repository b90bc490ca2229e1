package build

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/admin-gateway/admin-gateway/service/callers"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// keyFunc is a key source of one function.
type keyFunc func() error

func (f keyFunc) Key(context.Context) (upstream.Secret, error) {
	return upstream.NewSecret("sk-admin-canary"), f()
}

// policyOf is a policy source. Its policy may be nil.
type policyOf struct{ set *callers.Set }

func (p policyOf) Current() *callers.Set { return p.set }

func TestReadyz(t *testing.T) {
	t.Parallel()
	good := func() error { return nil }
	for name, test := range map[string]struct {
		key      keyFunc
		policy   policyOf
		degraded string
		leases   string
		audit    string
		required bool
		drain    bool
		status   int
		line     string
		finding  string // the finding that is not OK
	}{
		"well":                  {good, policyOf{new(callers.Set)}, "", "", "", false, false, http.StatusOK, "ok\n", ""},
		"degraded":              {good, policyOf{new(callers.Set)}, "Redis does not answer", "", "", false, false, http.StatusOK, "ok, degraded: Redis does not answer\n", "cache"},
		"the ledger fails":      {good, policyOf{new(callers.Set)}, "", "the ledger of leases does not answer", "", false, false, http.StatusOK, "ok, degraded: the ledger of leases does not answer\n", "leases"},
		"records fail":          {good, policyOf{new(callers.Set)}, "", "", "records fail", false, false, http.StatusOK, "ok, degraded: records fail\n", "audit"},
		"required records fail": {good, policyOf{new(callers.Set)}, "", "", "records fail", true, false, http.StatusServiceUnavailable, "not ready: records fail\n", "audit"},
		"no key":                {func() error { return errors.New("canary") }, policyOf{new(callers.Set)}, "", "", "", false, false, http.StatusServiceUnavailable, "not ready: the admin key cannot be read", "admin_key"},
		"no policy":             {good, policyOf{}, "", "", "", false, false, http.StatusServiceUnavailable, "not ready: no policy was ever loaded\n", "policy"},
		"draining":              {good, policyOf{new(callers.Set)}, "", "", "", false, true, http.StatusServiceUnavailable, "not ready: the gateway stops\n", "serving"},
	} {
		r := newReadiness(test.key, test.policy, func() string { return test.degraded }, func() (string, bool) {
			return test.audit, test.audit != "" && !test.required
		})
		r.leases = func() string { return test.leases }
		if test.drain {
			r.drain()
		}
		ask := func(target string) (int, string) {
			w := httptest.NewRecorder()
			r.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, http.NoBody))
			return w.Code, w.Body.String()
		}
		if status, text := ask("/readyz"); status != test.status || !strings.HasPrefix(text, test.line) {
			t.Errorf("%s: %d %q", name, status, text)
		}
		status, text := ask("/readyz?verbose")
		var said findings
		if err := json.Unmarshal([]byte(text), &said); err != nil || status != test.status || said.Ready != (status == http.StatusOK) || len(said.Findings) != 7 {
			t.Errorf("%s: %d %s, %v", name, status, text, err)
		}
		for _, f := range said.Findings {
			if well := f.OK && !f.Degraded; well == (f.Name == test.finding) || well != (f.Reason == "") {
				t.Errorf("%s: found %+v", name, f)
			}
		}
		if strings.Contains(text, "canary") {
			t.Errorf("%s: told %s", name, text)
		}
	}
}
