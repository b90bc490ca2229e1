package data

// ExternalKey is a registration of an encryption key that a cloud keeps.
type ExternalKey struct {
	ID        string
	Name      string
	Type      string // aws, gcp, azure or oci
	Purpose   string // ekm or psp_decryption
	CreatedAt int64
	// Config are the members that keys of its type have.
	Config map[string]string
	// Status is what a validation of the key finds.
	Status string
}

// The findings of a validation of an external key. The API's are not documented.
const (
	KeyValid   = "valid"
	KeyInvalid = "invalid"
)

// ExternalKeyMembers returns the members that external keys of a type have, and of
// those the ones that a registration may leave out.
func ExternalKeyMembers(keyType string) (members, optional []string) {
	switch keyType {
	case "aws":
		return []string{"external_id", "kms_arn", "role_arn"}, nil
	case "gcp":
		return []string{
			"audience", "kms_key_location", "kms_key_name", "kms_key_ring_name", "kms_project_id",
			"workload_identity_pool_id", "workload_identity_project_number", "workload_identity_provider_id",
		}, []string{"kms_key_version"}
	case "azure":
		return []string{"key_name", "tenant_id", "vault_uri"}, []string{"key_version"}
	case "oci":
		return []string{"key_ocid", "region", "vault_ocid"}, []string{"key_version_ocid"}
	default:
		return nil, nil
	}
}

// CloudTypes returns the types of external keys and of external storage.
func CloudTypes() []string { return []string{"aws", "gcp", "azure", "oci"} }

// NewExternalKey adds a key that a validation will find valid.
func (o *Organization) NewExternalKey(name, keyType, purpose string, config map[string]string, createdAt int64) *ExternalKey {
	k := &ExternalKey{
		ID: o.NewID("ext_key_"), Name: name, Type: keyType, Purpose: purpose,
		CreatedAt: createdAt, Config: config, Status: KeyValid,
	}
	o.ExternalKeys.Add(k.ID, k)
	return k
}

// ProjectsWith returns the ids of the active projects that the external key encrypts.
func (o *Organization) ProjectsWith(externalKeyID string) []string {
	ids := []string{}
	for _, p := range o.Projects.All() {
		if p.ArchivedAt == nil && orEmpty(p.ExternalKeyID) == externalKeyID {
			ids = append(ids, p.ID)
		}
	}
	return ids
}
