package sandbox

import "github.com/admin-gateway/admin-gateway/sandbox/data"

// dataRetention is the answer of both retention endpoints.
type dataRetention struct {
	Object string `json:"object"`
	Type   string `json:"type"`
}

func retentionOperations() []operation {
	kinds := []string{
		"zero_data_retention", "modified_abuse_monitoring",
		"enhanced_zero_data_retention", "enhanced_modified_abuse_monitoring",
	}
	projectKinds := append([]string{"organization_default", "none"}, kinds...)
	base, projectBase := "/organization/data_retention", "/organization/projects/{project_id}/data_retention"
	return []operation{
		get(base, getRetention),
		post(base, updateRetention, str("retention_type").oneOf(kinds...).must()),
		get(projectBase, getRetention),
		post(projectBase, updateRetention, str("retention_type").oneOf(projectKinds...).must()),
	}
}

func (c *call) retentionOf(p *data.Project) dataRetention {
	if p == nil {
		return dataRetention{"organization.data_retention", c.org.Retention}
	}
	return dataRetention{"project.data_retention", p.Retention}
}

func getRetention(c *call) (any, error) {
	p, err := c.scopeProject(false)
	if err != nil {
		return nil, err
	}
	return c.retentionOf(p), nil
}

func updateRetention(c *call) (any, error) {
	p, err := c.scopeProject(true)
	if err != nil {
		return nil, err
	}
	if p == nil {
		c.org.Retention = c.body.str("retention_type")
	} else {
		p.Retention = c.body.str("retention_type")
	}
	c.recordSettings(p)
	return c.retentionOf(p), nil
}

func permissionOperations() []operation {
	models := "/organization/projects/{project_id}/model_permissions"
	tools := "/organization/projects/{project_id}/hosted_tool_permissions"
	var toolFields []field
	for _, name := range data.HostedToolNames() {
		toolFields = append(toolFields, obj(name, flag("enabled").must()).orNull())
	}
	return []operation{
		get(models, getModelPermissions),
		post(models, updateModelPermissions,
			str("mode").oneOf("allow_list", "deny_list").must(), strList("model_ids").must()),
		del(models, deleteModelPermissions),
		get(tools, getHostedTools),
		post(tools, updateHostedTools, toolFields...),
	}
}

// getModelPermissions answers 404 as long as the project has no list of models.
func getModelPermissions(c *call) (any, error) {
	p, err := c.project()
	if err != nil {
		return nil, err
	}
	if p.Models == nil {
		return nil, notFound("model permissions", p.ID)
	}
	return p.Models, nil
}

func updateModelPermissions(c *call) (any, error) {
	p, err := c.openProject()
	if err != nil {
		return nil, err
	}
	p.Models = &data.ModelPermissions{Object: "project.model_permissions", Mode: c.body.str("mode"), ModelIDs: c.body.strs("model_ids")}
	c.recordSettings(p)
	return p.Models, nil
}

func deleteModelPermissions(c *call) (any, error) {
	p, err := c.openProject()
	if err != nil {
		return nil, err
	}
	if p.Models == nil {
		return nil, notFound("model permissions", p.ID)
	}
	p.Models = nil
	c.recordSettings(p)
	return deleted{Object: "project.model_permissions.deleted", Deleted: true}, nil
}

func getHostedTools(c *call) (any, error) {
	p, err := c.project()
	if err != nil {
		return nil, err
	}
	return p.Tools, nil
}

// updateHostedTools sets the tools that the body names. Null resets a tool to its
// default, which is enabled.
func updateHostedTools(c *call) (any, error) {
	p, err := c.openProject()
	if err != nil {
		return nil, err
	}
	for name := range c.body {
		p.Tools[name] = data.ToolPermission{Enabled: c.body.isNull(name) || c.body.object(name).flag("enabled")}
	}
	c.recordSettings(p)
	return p.Tools, nil
}
