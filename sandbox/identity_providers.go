package sandbox

import "github.com/admin-gateway/admin-gateway/sandbox/data"

// maxProviders bounds the providers of an organization, and maxRules the rules of a
// provider.
const (
	maxProviders = 50
	maxRules     = 50
)

func identityProviderOperations() []operation {
	base := "/organization/workload_identity_providers"
	transformations := listOf("attribute_transformations", obj("", texts("attribute", "expression")...))
	verification := union("verification",
		variant("discovery", str("discovery_url").between(1, maxText).must().orNull()),
		variant("uploaded_jwks", mapOf("jwks", free).must()))
	return []operation{
		get(base, listProviders, limitParam(20, 100), afterParam(), orderParam()),
		post(base, createProvider,
			str("type").oneOf("oidc").must(), str("name").between(1, 255).must(),
			str("issuer").between(1, maxText).must(), str("audience").between(1, maxText).must(),
			str("description"), flag("enabled"), transformations, verification),
		get(base+"/{workload_identity_provider_id}", getProvider),
		post(base+"/{workload_identity_provider_id}", updateProvider,
			str("name").between(1, 255), str("issuer").between(1, maxText), str("audience").between(1, maxText),
			str("description").orNull(), flag("enabled"), transformations, verification),
		del(base+"/{workload_identity_provider_id}", deleteProvider),
	}
}

func (c *call) provider() (*data.IdentityProvider, error) {
	return find(c.org.Providers, "workload identity provider", c.path["workload_identity_provider_id"])
}

func listProviders(c *call) (any, error) {
	return listing[*data.IdentityProvider]{
		items: c.org.Providers.All(),
		id:    func(p *data.IdentityProvider) string { return p.ID },
		view:  func(p *data.IdentityProvider) any { return p },
	}.bare(c.query)
}

func createProvider(c *call) (any, error) {
	if c.org.Providers.Len() >= maxProviders {
		return nil, badRequest("", "limit_reached", "An organization has %d workload identity providers at most.", maxProviders)
	}
	p := c.org.NewIdentityProvider(c.body.str("name"), c.body.str("issuer"), c.body.str("audience"), c.now)
	c.changeProvider(p)
	c.record("workload_identity_provider.created", nil, data.CreatedPayload{ID: p.ID, Data: c.body}, p.ID)
	return p, nil
}

// changeProvider sets what the body names and leaves the rest.
func (c *call) changeProvider(p *data.IdentityProvider) {
	for name, target := range map[string]*string{"name": &p.Name, "issuer": &p.Issuer, "audience": &p.Audience} {
		if c.body.has(name) {
			*target = c.body.str(name)
		}
	}
	c.body.assign("description", &p.Description)
	if c.body.has("enabled") {
		p.Enabled = c.body.flag("enabled")
	}
	if c.body.has("attribute_transformations") {
		p.Transformations = []data.Transformation{}
		for _, t := range c.body.objects("attribute_transformations") {
			p.Transformations = append(p.Transformations, data.Transformation{Attribute: t.str("attribute"), Expression: t.str("expression")})
		}
	}
	if v := c.body.object("verification"); v != nil {
		p.Verification = data.Verification{DiscoveryURL: v.optStr("discovery_url"), JWKS: v.free("jwks")}
	}
}

func getProvider(c *call) (any, error) {
	p, err := c.provider()
	if err != nil {
		return nil, err
	}
	return p, nil
}

func updateProvider(c *call) (any, error) {
	p, err := c.provider()
	if err != nil {
		return nil, err
	}
	c.changeProvider(p)
	p.UpdatedAt = c.now
	c.record("workload_identity_provider.updated", nil, data.ChangedPayload{ID: p.ID, Changes: c.body}, p.ID)
	return p, nil
}

// deleteProvider refuses as long as the provider has rules.
func deleteProvider(c *call) (any, error) {
	p, err := c.provider()
	if err != nil {
		return nil, err
	}
	if n := p.Rules.Len(); n > 0 {
		return nil, badRequest("", "provider_in_use",
			"Workload identity provider '%s' has %d federation rules: delete those first.", p.ID, n)
	}
	c.org.Providers.Remove(p.ID)
	c.record("workload_identity_provider.deleted", nil, map[string]string{"id": p.ID, "name": p.Name}, p.ID)
	return deleted{"organization.workload_identity_provider.deleted", p.ID, true}, nil
}
