package sandbox

import "github.com/admin-gateway/admin-gateway/sandbox/data"

func federationRuleOperations() []operation {
	base := "/organization/workload_identity_providers/{workload_identity_provider_id}/federation_rules"
	one := base + "/{workload_identity_federation_rule_id}"
	name, description := str("name").between(1, 255), str("description")
	matchers := mapOf("attribute_matchers", scalars)
	permissions := union("permissions",
		variant("service_account_default"), variant("restricted", strList("scopes").must()))
	return []operation{
		get(base, listRules, limitParam(20, 100), afterParam(), orderParam(), str("service_account_id")),
		post(base, createRule,
			matchers.must(), str("project_id").must(), str("service_account_id").must(),
			name, description, flag("enabled"), permissions),
		get(one, getRule),
		post(one, updateRule, matchers, name.orNull(), description.orNull(), flag("enabled"), permissions),
		del(one, deleteRule),
	}
}

func listRules(c *call) (any, error) {
	p, err := c.provider()
	if err != nil {
		return nil, err
	}
	account := c.query.str("service_account_id")
	return listing[*data.FederationRule]{
		items: p.Rules.All(),
		id:    func(r *data.FederationRule) string { return r.ID },
		view:  func(r *data.FederationRule) any { return r },
		keep:  func(r *data.FederationRule) bool { return account == "" || r.ServiceAccountID == account },
	}.bare(c.query)
}

// createRule binds tokens to a service account that exists.
func createRule(c *call) (any, error) {
	provider, err := c.provider()
	if err != nil {
		return nil, err
	}
	project, err := c.openProjectCalled(c.body.str("project_id"))
	if err != nil {
		return nil, err
	}
	account, err := find(project.Accounts, "service account", c.body.str("service_account_id"))
	if err != nil {
		return nil, err
	}
	if provider.Rules.Len() >= maxRules {
		return nil, badRequest("", "limit_reached", "A workload identity provider has %d federation rules at most.", maxRules)
	}
	r := c.org.NewFederationRule(provider, project.ID, account.ID, nil, c.now)
	c.changeRule(r)
	c.record("workload_identity_provider_mapping.created", nil, rulePayload(r, "data", c.body), r.ID)
	return r, nil
}

// changeRule sets what the body names and leaves the rest.
func (c *call) changeRule(r *data.FederationRule) {
	if c.body.has("attribute_matchers") {
		r.Matchers = c.body.free("attribute_matchers")
	}
	c.body.assign("name", &r.Name)
	c.body.assign("description", &r.Description)
	if c.body.has("enabled") {
		r.Enabled = c.body.flag("enabled")
	}
	if p := c.body.object("permissions"); p != nil {
		r.Permissions = data.RulePermissions{Restricted: p.str("type") == "restricted", Scopes: p.strs("scopes")}
	}
}

func rulePayload(r *data.FederationRule, member string, body values) map[string]any {
	return map[string]any{"id": r.ID, "identity_provider_id": r.ProviderID, member: body}
}

func (c *call) rule() (*data.FederationRule, error) {
	p, err := c.provider()
	if err != nil {
		return nil, err
	}
	return find(p.Rules, "workload identity federation rule", c.path["workload_identity_federation_rule_id"])
}

func getRule(c *call) (any, error) {
	r, err := c.rule()
	if err != nil {
		return nil, err
	}
	return r, nil
}

func updateRule(c *call) (any, error) {
	r, err := c.rule()
	if err != nil {
		return nil, err
	}
	c.changeRule(r)
	r.UpdatedAt = c.now
	c.record("workload_identity_provider_mapping.updated", nil, rulePayload(r, "changes_requested", c.body), r.ID)
	return r, nil
}

func deleteRule(c *call) (any, error) {
	r, err := c.rule()
	if err != nil {
		return nil, err
	}
	c.endRules(func(other *data.FederationRule) bool { return other == r })
	return deleted{"organization.workload_identity_federation_rule.deleted", r.ID, true}, nil
}

// endRules deletes the rules that match and records each.
func (c *call) endRules(match func(*data.FederationRule) bool) {
	for _, r := range c.org.EndRules(match) {
		c.record("workload_identity_provider_mapping.deleted", nil, map[string]string{
			"id": r.ID, "identity_provider_id": r.ProviderID,
			"project_id": r.ProjectID, "service_account_id": r.ServiceAccountID,
		}, r.ID)
	}
}
