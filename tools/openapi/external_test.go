package openapi

// external drives external keys and external storage, of each cloud.
func (d *driver) external() {
	d.t.Helper()
	const keys, storage = "/organization/external_keys", "/organization/external_storage"
	for _, body := range []string{
		`{"type":"aws","name":"k","external_id":"e","kms_arn":"a","role_arn":"r","purpose":"ekm"}`,
		`{"type":"gcp","name":"k","audience":"a","kms_key_location":"l","kms_key_name":"n","kms_key_ring_name":"r","kms_project_id":"p",` +
			`"workload_identity_pool_id":"w","workload_identity_project_number":"1","workload_identity_provider_id":"i","kms_key_version":"3"}`,
		`{"type":"azure","name":"k","key_name":"n","tenant_id":"t","vault_uri":"u","purpose":"psp_decryption"}`,
		`{"type":"oci","name":"k","key_ocid":"k","region":"r","vault_ocid":"v","key_version_ocid":"4"}`,
	} {
		key := keys + "/" + id(d.post(keys, "%s", body))
		d.get(key)
		d.post(key+"/validate", "")
		d.delete(key)
	}
	d.list(keys + "?limit=2&order=desc")
	d.list(keys + "?limit=1&purpose=psp_decryption")

	project := id(d.post("/organization/projects", `{"name":"Storage","geography":"EU"}`))
	for _, provider := range []string{
		`{"type":"aws","bucket":"b","role_arn":"arn:aws:iam::123456789012:role/x"}`,
		`{"type":"azure","account_name":"a","container":"c","resource_group":"r","subscription_id":"s","tenant_id":"t"}`,
		`{"type":"gcp","bucket":"b","workload_identity_pool_id":"p","workload_identity_project_number":"1","workload_identity_provider_id":"i"}`,
		`{"type":"oci","bucket":"b","region":"eu-frankfurt-1","tenancy_ocid":"o"}`,
	} {
		made := storage + "/" + id(d.post(storage, `{"project_id":%q,"provider":%s}`, project, provider))
		d.get(made)
		d.post(made+"/validate", "")
		d.list(storage + "?limit=1&project_id=" + project)
		d.delete(made)
	}
	d.list(storage + "?limit=2")
	// What the log has of all that.
	d.list("/organization/audit_logs?limit=100&event_types[]=external_storage.registered&event_types[]=external_storage.removed" +
		"&event_types[]=external_key.registered&event_types[]=external_key.removed&event_types[]=api_key.updated")
}

// federation drives identity providers and their rules.
func (d *driver) federation() {
	d.t.Helper()
	const providers = "/organization/workload_identity_providers"
	project := id(d.post("/organization/projects", `{"name":"Workloads"}`))
	account := id(d.post("/organization/projects/"+project+"/service_accounts", `{"name":"bot","expires_in_seconds":60}`))
	for _, verification := range []string{
		`{"type":"discovery","discovery_url":null}`,
		`{"type":"discovery","discovery_url":"https://i.example.com/.well-known/openid-configuration"}`,
		`{"type":"uploaded_jwks","jwks":{"keys":[{"kty":"OKP","crv":"Ed25519","x":"x"}]}}`,
	} {
		provider := providers + "/" + id(d.post(providers,
			`{"type":"oidc","name":"p","issuer":"https://i.example.com","audience":"a","description":"d","verification":%s}`, verification))
		d.get(provider)
		d.post(provider, `{"description":null,"enabled":false,"attribute_transformations":[{"attribute":"x","expression":"claims.sub"}]}`)
		rules := provider + "/federation_rules"
		for _, permissions := range []string{`{"type":"service_account_default"}`, `{"type":"restricted","scopes":["api.all.read"]}`} {
			rule := rules + "/" + id(d.post(rules,
				`{"project_id":%q,"service_account_id":%q,"attribute_matchers":{"s":"x","b":true,"n":42,"f":0.5},"permissions":%s}`,
				project, account, permissions))
			d.get(rule)
			d.post(rule, `{"name":"n","description":null}`)
			d.list(rules + "?limit=1&service_account_id=" + account)
			d.delete(rule)
		}
		d.delete(provider)
	}
	for _, p := range d.list(providers + "?limit=2&order=desc") {
		d.list(providers + "/" + id(p) + "/federation_rules?limit=2")
	}
}
