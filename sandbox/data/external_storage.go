package data

import "strings"

// ExternalStorage is a customer's storage that a project keeps its data in, as the
// API shows it.
type ExternalStorage struct {
	ID        string            `json:"id"`
	Object    string            `json:"object"`
	ProjectID string            `json:"project_id"`
	CreatedAt int64             `json:"created_at"`
	Geography string            `json:"geography"`
	Provider  map[string]string `json:"provider"`
	Status    string            `json:"status"`
	// verdict is the status that the next validation finds.
	verdict string
}

// The states of an external storage. A new one is pending until it is validated.
const (
	StoragePending   = "pending"
	StorageValidated = "validated"
	StorageDegraded  = "degraded"
	StorageUnhealthy = "unhealthy"
)

// StorageStates returns all states of an external storage.
func StorageStates() []string {
	return []string{StoragePending, StorageValidated, StorageDegraded, StorageUnhealthy}
}

// NewExternalStorage adds a storage. Provider are the members of the request; those
// that the API finds out by itself are added.
func (o *Organization) NewExternalStorage(projectID string, provider map[string]string, createdAt int64) *ExternalStorage {
	o.complete(provider)
	s := &ExternalStorage{
		ID: o.NewID("ext_storage_"), Object: "organization.external_storage", ProjectID: projectID,
		CreatedAt: createdAt, Geography: geographyOf(provider["region"]), Provider: provider,
	}
	s.SetStatus(StoragePending)
	o.ExternalStorage.Add(s.ID, s)
	return s
}

// Validate sets the status to what a validation finds.
func (s *ExternalStorage) Validate() { s.Status = s.verdict }

// SetStatus sets the status now, and the one that validations find: a storage that
// is pending will be validated, and one that is unhealthy stays so.
func (s *ExternalStorage) SetStatus(status string) {
	s.Status, s.verdict = status, status
	if status == StoragePending {
		s.verdict = StorageValidated
	}
}

// complete adds the members that depend on the bucket and on the organization.
func (o *Organization) complete(provider map[string]string) {
	switch provider["type"] {
	case "aws":
		provider["region"], provider["account_id"], provider["external_id"] = "us-east-1", accountOf(provider["role_arn"]), o.ID
	case "azure":
		provider["region"] = "westeurope"
	case "gcp":
		provider["region"] = "europe-west4"
		provider["audience"] = "//iam.googleapis.com/projects/" + provider["workload_identity_project_number"] +
			"/locations/global/workloadIdentityPools/" + provider["workload_identity_pool_id"] +
			"/providers/" + provider["workload_identity_provider_id"]
	}
}

// accountOf returns the account in arn:aws:iam::123456789012:role/name.
func accountOf(arn string) string {
	if parts := strings.Split(arn, ":"); len(parts) > 4 && parts[4] != "" {
		return parts[4]
	}
	return "000000000000"
}

// geographyOf returns the geography of a cloud's region.
func geographyOf(region string) string {
	if strings.HasPrefix(region, "eu") || strings.Contains(region, "europe") {
		return "EU"
	}
	return "US"
}
