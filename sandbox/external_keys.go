package sandbox

import "github.com/admin-gateway/admin-gateway/sandbox/data"

func externalKeyOperations() []operation {
	base := "/organization/external_keys"
	purpose := str("purpose").oneOf("ekm", "psp_decryption")
	var variants []field
	for _, cloud := range data.CloudTypes() {
		fields := []field{str("name").between(1, 255).must(), purpose}
		required, optional := data.ExternalKeyMembers(cloud)
		for _, name := range required {
			fields = append(fields, str(name).between(1, maxText).must())
		}
		for _, name := range optional {
			fields = append(fields, str(name).between(1, maxText))
		}
		variants = append(variants, variant(cloud, fields...))
	}
	return []operation{
		get(base, listExternalKeys, limitParam(20, 100), afterParam(), orderParam(), purpose),
		postUnion(base, createExternalKey, variants...),
		get(base+"/{external_key_id}", getExternalKey),
		del(base+"/{external_key_id}", deleteExternalKey),
		post(base+"/{external_key_id}/validate", validateExternalKey),
	}
}

// maxText bounds texts for which the API documents no bound.
const maxText = 4096

// viewExternalKey shows the members of all types; those of other types are null.
func viewExternalKey(o *data.Organization, k *data.ExternalKey) map[string]any {
	view := map[string]any{
		"object": "organization.external_key", "id": k.ID, "name": k.Name, "type": k.Type, "purpose": k.Purpose,
		"created_at": k.CreatedAt, "workspace_id": o.WorkspaceID(), "api_project_ids": o.ProjectsWith(k.ID),
	}
	for _, cloud := range data.CloudTypes() {
		required, optional := data.ExternalKeyMembers(cloud)
		for _, name := range append(required, optional...) {
			view[name] = nonEmpty(k.Config[name])
		}
	}
	return view
}

func listExternalKeys(c *call) (any, error) {
	purpose := c.query.str("purpose")
	return listing[*data.ExternalKey]{
		items: c.org.ExternalKeys.All(),
		id:    func(k *data.ExternalKey) string { return k.ID },
		view:  func(k *data.ExternalKey) any { return viewExternalKey(c.org, k) },
		keep:  func(k *data.ExternalKey) bool { return purpose == "" || k.Purpose == purpose },
	}.bare(c.query)
}

func createExternalKey(c *call) (any, error) {
	config := make(map[string]string)
	required, optional := data.ExternalKeyMembers(c.body.str("type"))
	for _, name := range append(required, optional...) {
		config[name] = c.body.str(name)
	}
	purpose := c.body.str("purpose")
	if purpose == "" {
		purpose = "ekm"
	}
	k := c.org.NewExternalKey(c.body.str("name"), c.body.str("type"), purpose, config, c.now)
	c.record("external_key.registered", nil, data.CreatedPayload{ID: k.ID, Data: c.body}, k.ID)
	return viewExternalKey(c.org, k), nil
}

func (c *call) externalKey() (*data.ExternalKey, error) {
	return find(c.org.ExternalKeys, "external key", c.path["external_key_id"])
}

func getExternalKey(c *call) (any, error) {
	k, err := c.externalKey()
	if err != nil {
		return nil, err
	}
	return viewExternalKey(c.org, k), nil
}

// deleteExternalKey answers with the key, as it was. Projects keep its id.
func deleteExternalKey(c *call) (any, error) {
	k, err := c.externalKey()
	if err != nil {
		return nil, err
	}
	c.org.ExternalKeys.Remove(k.ID)
	c.record("external_key.removed", nil, data.TargetPayload{ID: k.ID}, k.ID)
	return viewExternalKey(c.org, k), nil
}

func validateExternalKey(c *call) (any, error) {
	k, err := c.externalKey()
	if err != nil {
		return nil, err
	}
	c.recordSettings(nil)
	return map[string]string{"status": k.Status}, nil
}
