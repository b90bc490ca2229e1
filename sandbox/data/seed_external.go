package data

import "fmt"

// externalConfigs are the members of seeded external keys, by type.
var externalConfigs = map[string]map[string]string{
	"aws": {
		"external_id": "example-industries", "kms_arn": "arn:aws:kms:eu-central-1:123456789012:key/4711",
		"role_arn": "arn:aws:iam::123456789012:role/encryption",
	},
	"gcp": {
		"audience":         "//iam.googleapis.com/projects/1234567890/locations/global/workloadIdentityPools/ai/providers/main",
		"kms_key_location": "europe-west4", "kms_key_name": "projects", "kms_key_ring_name": "ai", "kms_project_id": "example-keys",
		"workload_identity_pool_id": "ai", "workload_identity_project_number": "1234567890", "workload_identity_provider_id": "main",
	},
	"azure": {
		"key_name": "projects", "tenant_id": "11111111-2222-3333-4444-555555555555", "vault_uri": "https://example.vault.azure.net",
		"key_version": "0123456789abcdef",
	},
	"oci": {
		"key_ocid": "ocid1.key.oc1.eu-frankfurt-1.example", "region": "eu-frankfurt-1", "vault_ocid": "ocid1.vault.oc1.eu-frankfurt-1.example",
	},
}

// seedExternalKeys registers the keys that projects name, and two that no project
// uses. The last one is not valid.
func (s *seeder) seedExternalKeys() {
	clouds := CloudTypes()
	for i, p := range s.Projects.All() {
		if p.ExternalKeyID == nil {
			continue
		}
		cloud := clouds[i/8%len(clouds)]
		k := &ExternalKey{
			ID: *p.ExternalKeyID, Name: fmt.Sprintf("Key of %s", p.DisplayName()), Type: cloud, Purpose: "ekm",
			CreatedAt: p.CreatedAt, Config: externalConfigs[cloud], Status: KeyValid,
		}
		s.ExternalKeys.Add(k.ID, k)
	}
	s.NewExternalKey("Decryption", "gcp", "psp_decryption", externalConfigs["gcp"], s.born+300*day)
	s.NewExternalKey("Revoked role", "aws", "ekm", externalConfigs["aws"], s.born+400*day).Status = KeyInvalid
}

// storageProviders are what seeded storage is requested with.
func storageProviders() []map[string]string {
	return []map[string]string{
		{"type": "aws", "bucket": "example-ai", "role_arn": "arn:aws:iam::123456789012:role/storage"},
		{
			"type": "azure", "account_name": "exampleai", "container": "data", "resource_group": "ai",
			"subscription_id": "66666666-7777-8888-9999-000000000000", "tenant_id": "11111111-2222-3333-4444-555555555555",
		},
		{
			"type": "gcp", "bucket": "example-ai", "workload_identity_pool_id": "ai",
			"workload_identity_project_number": "1234567890", "workload_identity_provider_id": "main",
		},
		{"type": "oci", "bucket": "example-ai", "region": "eu-frankfurt-1", "tenancy_ocid": "ocid1.tenancy.oc1..example"},
	}
}

// seedExternalStorage gives a storage to each of the first four projects, in each of
// the states.
func (s *seeder) seedExternalStorage() {
	open := s.openProjects()
	states := []string{StorageValidated, StoragePending, StorageDegraded, StorageUnhealthy}
	for i, provider := range storageProviders() {
		if i < len(open) {
			s.NewExternalStorage(open[i].ID, provider, open[i].CreatedAt+day).SetStatus(states[i])
		}
	}
}

// seedProviders makes three providers: with a few rules, with one rule, and without
// any and disabled.
func (s *seeder) seedProviders() {
	pipelines := s.NewIdentityProvider("GitHub Actions", "https://token.actions.githubusercontent.com", "https://api.example.com", s.born+100*day)
	pipelines.Description = new("Pipelines of all repositories.")
	workloads := s.NewIdentityProvider("SPIFFE", "https://spire.example.com", "openai", s.born+200*day)
	workloads.Verification.JWKS = map[string]any{"keys": []any{map[string]any{
		"kty": "OKP", "crv": "Ed25519", "kid": "2026-01", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
	}}}
	workloads.Transformations = []Transformation{{"workload", "claims.sub.split('/')[-1]"}}
	idle := s.NewIdentityProvider("GitLab", "https://gitlab.example.com", "openai", s.born+300*day)
	idle.Enabled = false
	idle.Verification.DiscoveryURL = new("https://gitlab.example.com/.well-known/openid-configuration")

	made := 0
	for _, p := range s.openProjects() {
		accounts := p.Accounts.All()
		if len(accounts) == 0 || made == 4 {
			continue
		}
		s.seedRule([]*IdentityProvider{pipelines, pipelines, pipelines, workloads}[made], made, p, accounts[0])
		made++
	}
}

// seedRule makes the rule of the number: each has matchers of other types.
func (s *seeder) seedRule(provider *IdentityProvider, number int, p *Project, a *ServiceAccount) {
	matchers := []map[string]any{
		{"repository": "example/api", "ref": "refs/heads/main"},
		{"repository": "example/batch", "ref_protected": true},
		{"repository_owner_id": 4711, "run_attempt": 1},
		{"workload": "ingest"},
	}[number]
	r := s.NewFederationRule(provider, p.ID, a.ID, matchers, max(a.CreatedAt, provider.CreatedAt))
	if number%2 == 0 {
		r.Name, r.Description = new("Deployments"), new("Of "+p.DisplayName())
		r.Permissions = RulePermissions{Restricted: true, Scopes: []string{"api.model.request"}}
	}
	r.Enabled = number != 2
}
