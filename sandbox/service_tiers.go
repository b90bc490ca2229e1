package sandbox

func tierOperations() []operation {
	base := "/organization/projects/{project_id}/service_tier_settings"
	return []operation{
		get(base, getTiers),
		post(base, updateTiers,
			str("default").oneOf("standard", "fast", "scale"),
			listOf("enabled_tiers", str("").oneOf("flex", "fast", "ultrafast")).orWord("all")),
	}
}

func getTiers(c *call) (any, error) {
	p, err := c.project()
	if err != nil {
		return nil, err
	}
	return p.Tiers, nil
}

// updateTiers changes what the body names. An empty list of tiers leaves standard.
func updateTiers(c *call) (any, error) {
	p, err := c.openProject()
	if err != nil {
		return nil, err
	}
	if len(c.body) == 0 {
		return nil, badRequest("", "missing_required_parameter", "Give at least one of 'default' and 'enabled_tiers'.")
	}
	if tier := c.body.str("default"); tier != "" {
		p.Tiers.Default = tier
	}
	if c.body.has("enabled_tiers") {
		p.Tiers.All = c.body.str("enabled_tiers") == "all"
		p.Tiers.Enabled = c.body.strs("enabled_tiers")
	}
	c.recordSettings(p)
	return p.Tiers, nil
}
