package data

import "encoding/json"

// IdentityProvider is an OIDC provider whose tokens workloads exchange for access,
// as the API shows it.
type IdentityProvider struct {
	ID              string           `json:"id"`
	Object          string           `json:"object"`
	Type            string           `json:"type"`
	Name            string           `json:"name"`
	Description     *string          `json:"description"`
	Issuer          string           `json:"issuer"`
	Audience        string           `json:"audience"`
	Enabled         bool             `json:"enabled"`
	Verification    Verification     `json:"verification"`
	Transformations []Transformation `json:"attribute_transformations"`
	CreatedAt       int64            `json:"created_at"`
	UpdatedAt       int64            `json:"updated_at"`

	Rules *Collection[*FederationRule] `json:"-"`
}

// Transformation makes an attribute out of a token's claims.
type Transformation struct {
	Attribute  string `json:"attribute"`
	Expression string `json:"expression"`
}

// Verification says where a provider's keys come from: from its discovery document,
// or from an upload if JWKS is not nil.
type Verification struct {
	DiscoveryURL *string // nil: the one that the issuer implies
	JWKS         map[string]any
}

// MarshalJSON writes the variant as the API does.
func (v Verification) MarshalJSON() ([]byte, error) {
	if v.JWKS != nil {
		return json.Marshal(map[string]any{"type": "uploaded_jwks", "jwks": v.JWKS})
	}
	return json.Marshal(map[string]any{"type": "discovery", "discovery_url": v.DiscoveryURL})
}

// FederationRule lets tokens of a provider act as a service account, as the API
// shows it.
type FederationRule struct {
	ID               string          `json:"id"`
	Object           string          `json:"object"`
	ProviderID       string          `json:"workload_identity_provider_id"`
	ProjectID        string          `json:"project_id"`
	ServiceAccountID string          `json:"service_account_id"`
	Name             *string         `json:"name"`
	Description      *string         `json:"description"`
	Enabled          bool            `json:"enabled"`
	Matchers         map[string]any  `json:"attribute_matchers"` // strings, booleans and numbers
	Permissions      RulePermissions `json:"permissions"`
	CreatedAt        int64           `json:"created_at"`
	UpdatedAt        int64           `json:"updated_at"`
}

// RulePermissions are the permissions of the tokens that a rule admits: those of the
// service account, or the scopes if Restricted is set.
type RulePermissions struct {
	Restricted bool
	Scopes     []string
}

// MarshalJSON writes the variant as the API does.
func (p RulePermissions) MarshalJSON() ([]byte, error) {
	if p.Restricted {
		return json.Marshal(map[string]any{"type": "restricted", "scopes": append([]string{}, p.Scopes...)})
	}
	return json.Marshal(map[string]string{"type": "service_account_default"})
}

// NewIdentityProvider adds an enabled provider without rules.
func (o *Organization) NewIdentityProvider(name, issuer, audience string, createdAt int64) *IdentityProvider {
	p := &IdentityProvider{
		ID: o.NewID("wip_"), Object: "organization.workload_identity_provider", Type: "oidc",
		Name: name, Issuer: issuer, Audience: audience, Enabled: true, Transformations: []Transformation{},
		CreatedAt: createdAt, UpdatedAt: createdAt, Rules: newCollection[*FederationRule](),
	}
	o.Providers.Add(p.ID, p)
	return p
}

// NewFederationRule adds an enabled rule to the provider.
func (o *Organization) NewFederationRule(p *IdentityProvider, projectID, accountID string, matchers map[string]any, createdAt int64) *FederationRule {
	r := &FederationRule{
		ID: o.NewID("wifr_"), Object: "organization.workload_identity_federation_rule", ProviderID: p.ID,
		ProjectID: projectID, ServiceAccountID: accountID, Enabled: true, Matchers: matchers,
		CreatedAt: createdAt, UpdatedAt: createdAt,
	}
	p.Rules.Add(r.ID, r)
	return r
}

// EndRules removes the rules that match, and returns them.
func (o *Organization) EndRules(match func(*FederationRule) bool) []*FederationRule {
	var ended []*FederationRule
	for _, p := range o.Providers.All() {
		for _, r := range p.Rules.All() {
			if match(r) {
				p.Rules.Remove(r.ID)
				ended = append(ended, r)
			}
		}
	}
	return ended
}
