package sandbox

import "github.com/admin-gateway/admin-gateway/sandbox/data"

func externalStorageOperations() []operation {
	base := "/organization/external_storage"
	return []operation{
		get(base, listExternalStorage, limitParam(20, 100), afterParam(), orderParam(), str("project_id")),
		post(base, createExternalStorage, str("project_id").must(), union("provider",
			variant("aws", texts("bucket", "role_arn")...),
			variant("azure", texts("account_name", "container", "resource_group", "subscription_id", "tenant_id")...),
			variant("gcp", texts("bucket", "workload_identity_pool_id",
				"workload_identity_project_number", "workload_identity_provider_id")...),
			variant("oci", texts("bucket", "region", "tenancy_ocid")...),
		).must()),
		get(base+"/{external_storage_id}", getExternalStorage),
		del(base+"/{external_storage_id}", deleteExternalStorage),
		post(base+"/{external_storage_id}/validate", validateExternalStorage),
	}
}

// texts declares required members that are not empty.
func texts(names ...string) []field {
	out := make([]field, len(names))
	for i, name := range names {
		out[i] = str(name).between(1, maxText).must()
	}
	return out
}

func listExternalStorage(c *call) (any, error) {
	project := c.query.str("project_id")
	return listing[*data.ExternalStorage]{
		items: c.org.ExternalStorage.All(),
		id:    func(s *data.ExternalStorage) string { return s.ID },
		view:  func(s *data.ExternalStorage) any { return s },
		keep:  func(s *data.ExternalStorage) bool { return project == "" || s.ProjectID == project },
	}.bare(c.query)
}

func createExternalStorage(c *call) (any, error) {
	p, err := c.openProjectCalled(c.body.str("project_id"))
	if err != nil {
		return nil, err
	}
	provider := make(map[string]string)
	for name := range c.body.object("provider") {
		provider[name] = c.body.object("provider").str(name)
	}
	s := c.org.NewExternalStorage(p.ID, provider, c.now)
	c.record("external_storage.registered", nil, data.CreatedPayload{
		ID: s.ID, Data: map[string]any{"geography": s.Geography, "provider": s.Provider},
	}, s.ID)
	return s, nil
}

func (c *call) externalStorage() (*data.ExternalStorage, error) {
	return find(c.org.ExternalStorage, "external storage configuration", c.path["external_storage_id"])
}

func getExternalStorage(c *call) (any, error) {
	s, err := c.externalStorage()
	if err != nil {
		return nil, err
	}
	return s, nil
}

func deleteExternalStorage(c *call) (any, error) {
	s, err := c.externalStorage()
	if err != nil {
		return nil, err
	}
	c.org.ExternalStorage.Remove(s.ID)
	c.record("external_storage.removed", nil, data.TargetPayload{ID: s.ID}, s.ID)
	return deleted{"organization.external_storage.deleted", s.ID, true}, nil
}

// validateExternalStorage answers with the storage in its new state. One that was
// made unhealthy stays so: see [Sandbox.SetExternalStorage].
func validateExternalStorage(c *call) (any, error) {
	s, err := c.externalStorage()
	if err != nil {
		return nil, err
	}
	s.Validate()
	c.recordSettings(nil)
	return s, nil
}
