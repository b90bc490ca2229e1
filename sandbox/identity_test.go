package sandbox

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	providersPath = "/organization/workload_identity_providers"
	newProvider   = `{"type":"oidc","name":"p","issuer":"https://i.example.com","audience":"a"}`
)

func TestIdentityProviders(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	made := c.post(providersPath, newProvider)
	path := providersPath + "/" + textAt(made, "id")
	if made["enabled"] != true || made["description"] != nil || !cmp.Equal(made["verification"], map[string]any{"type": "discovery", "discovery_url": nil}) {
		t.Errorf("made %v", made)
	}
	if diff := cmp.Diff(made, c.get(path)); diff != "" {
		t.Errorf("made and got (-made +got):\n%s", diff)
	}
	want := made
	for _, step := range []struct {
		body    string
		changes map[string]any
	}{
		{`{"name":"q","description":"d"}`, map[string]any{"name": "q", "description": "d"}},
		{`{"enabled":false}`, map[string]any{"enabled": false}},
		{`{"description":null,"issuer":"https://j.example.com"}`, map[string]any{"description": nil, "issuer": "https://j.example.com"}},
		{
			`{"verification":{"type":"uploaded_jwks","jwks":{"keys":[{"kid":"1","n":1.5}]}}}`,
			map[string]any{"verification": map[string]any{"type": "uploaded_jwks", "jwks": map[string]any{
				"keys": []any{map[string]any{"kid": "1", "n": json.Number("1.5")}},
			}}},
		},
		{
			`{"attribute_transformations":[{"attribute":"x","expression":"y"}],"verification":{"type":"discovery","discovery_url":"https://d.example.com"}}`,
			map[string]any{
				"attribute_transformations": []any{map[string]any{"attribute": "x", "expression": "y"}},
				"verification":              map[string]any{"type": "discovery", "discovery_url": "https://d.example.com"},
			},
		},
		{`{"attribute_transformations":[]}`, map[string]any{"attribute_transformations": []any{}}},
	} {
		c.sandbox.AdvanceClock(time.Minute)
		for name, v := range step.changes {
			want[name] = v
		}
		want["updated_at"] = json.Number(fmt.Sprint(c.sandbox.Now().Unix()))
		if diff := cmp.Diff(want, c.post(path, step.body)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.body, diff)
		}
	}
	if diff := cmp.Diff(want, c.get(path)); diff != "" {
		t.Errorf("at the end (-want +got):\n%s", diff)
	}
	c.refuses(400, "invalid_type", "name", "POST", path, `{"name":null}`)
	c.refuses(400, "unknown_parameter", "type", "POST", path, `{"type":"oidc"}`)
	c.refuses(400, "missing_required_parameter", "verification.discovery_url", "POST", path, `{"verification":{"type":"discovery"}}`)
	c.refuses(400, "unknown_parameter", "verification.jwks", "POST", path, `{"verification":{"type":"discovery","discovery_url":null,"jwks":{}}}`)
	c.refuses(400, "invalid_value", "type", "POST", providersPath, `{"type":"saml","name":"p","issuer":"i","audience":"a"}`)
	c.delete(path)
	c.missing(path)

	for len(items(c.get(providersPath+"?limit=100"))) < maxProviders {
		c.post(providersPath, newProvider)
	}
	c.refuses(400, "limit_reached", "", "POST", providersPath, newProvider)
}

func TestFederationRules(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	provider := providersPath + "/" + textAt(c.post(providersPath, newProvider), "id")
	base := provider + "/federation_rules"
	project, _, made := c.account(`{"name":"bot"}`)
	projectID, accountID := textAt(c.get(project), "id"), textAt(made, "id")
	body := func(rest string) string {
		return fmt.Sprintf(`{"project_id":%q,"service_account_id":%q,"attribute_matchers":{"s":"x","b":true,"n":42,"f":0.5}%s}`, projectID, accountID, rest)
	}
	rule := c.post(base, body(`,"name":"n","permissions":{"type":"restricted","scopes":["api.all.read"]}`))
	path := base + "/" + textAt(rule, "id")
	matchers := map[string]any{"s": "x", "b": true, "n": json.Number("42"), "f": json.Number("0.5")}
	if diff := cmp.Diff(matchers, rule["attribute_matchers"]); diff != "" {
		t.Errorf("matchers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(rule, c.get(path)); diff != "" {
		t.Errorf("made and got (-made +got):\n%s", diff)
	}
	want := rule
	for _, step := range []struct {
		body    string
		changes map[string]any
	}{
		{`{"description":"d"}`, map[string]any{"description": "d"}},
		{`{"name":null,"description":null,"enabled":false}`, map[string]any{"name": nil, "description": nil, "enabled": false}},
		{`{"permissions":{"type":"service_account_default"}}`, map[string]any{"permissions": map[string]any{"type": "service_account_default"}}},
		{`{"attribute_matchers":{"s":"1"}}`, map[string]any{"attribute_matchers": map[string]any{"s": "1"}}},
	} {
		c.sandbox.AdvanceClock(time.Minute)
		for name, v := range step.changes {
			want[name] = v
		}
		want["updated_at"] = json.Number(fmt.Sprint(c.sandbox.Now().Unix()))
		if diff := cmp.Diff(want, c.post(path, step.body)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.body, diff)
		}
	}
	for _, wrong := range []struct {
		status            int
		code, param, body string
	}{
		{404, "not_found", "", fmt.Sprintf(`{"project_id":"none","service_account_id":%q,"attribute_matchers":{}}`, accountID)},
		{404, "not_found", "", fmt.Sprintf(`{"project_id":%q,"service_account_id":"none","attribute_matchers":{}}`, projectID)},
		{400, "missing_required_parameter", "attribute_matchers", `{"project_id":"p","service_account_id":"s"}`},
		{400, "missing_required_parameter", "permissions.scopes", body(`,"permissions":{"type":"restricted"}`)},
		{400, "invalid_type", "attribute_matchers.x", fmt.Sprintf(`{"project_id":%q,"service_account_id":%q,"attribute_matchers":{"x":["y"]}}`, projectID, accountID)},
	} {
		c.refuses(wrong.status, wrong.code, wrong.param, "POST", base, wrong.body)
	}
	c.refuses(400, "unknown_parameter", "project_id", "POST", path, `{"project_id":"other"}`)
	c.refuses(404, "not_found", "", "GET", providersPath+"/none/federation_rules", "")
	c.refuses(400, "provider_in_use", "", "DELETE", provider, "")

	second := textAt(c.post(project+"/service_accounts", `{"name":"second"}`), "id")
	other := fmt.Sprintf(`{"project_id":%q,"service_account_id":%q,"attribute_matchers":{"s":"y"}}`, projectID, second)
	secondRule := textAt(c.post(base, other), "id")
	if got := ids(c.get(base + "?service_account_id=" + second)); !cmp.Equal(got, []string{secondRule}) {
		t.Errorf("of the second account: %v", got)
	}
	for range maxRules - 2 {
		c.post(base, other)
	}
	c.refuses(400, "limit_reached", "", "POST", base, other)

	// The rules of an account end with it, and the last ones with the project.
	c.delete(project + "/service_accounts/" + second)
	if got := ids(c.get(base)); !cmp.Equal(got, []string{textAt(rule, "id")}) {
		t.Errorf("after the account: %v", got)
	}
	c.delete(path)
	c.missing(path)
	c.post(base, body(""))
	c.post(project+"/archive", "")
	if got := ids(c.get(base)); len(got) != 0 {
		t.Errorf("after the project: %v", got)
	}
	c.refuses(400, "project_archived", "", "POST", base, body(""))
	c.delete(provider)
}
