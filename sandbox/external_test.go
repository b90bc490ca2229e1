package sandbox

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/admin-gateway/admin-gateway/sandbox/data"
)

func TestExternalKeys(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	const base = "/organization/external_keys"
	for _, body := range []string{
		`{"type":"aws","name":"k","external_id":"e","kms_arn":"a","role_arn":"r"}`,
		`{"type":"gcp","name":"k","audience":"a","kms_key_location":"l","kms_key_name":"n","kms_key_ring_name":"r","kms_project_id":"p",` +
			`"workload_identity_pool_id":"w","workload_identity_project_number":"1","workload_identity_provider_id":"i","kms_key_version":"3"}`,
		`{"type":"azure","name":"k","key_name":"n","tenant_id":"t","vault_uri":"u","purpose":"psp_decryption"}`,
		`{"type":"oci","name":"k","key_ocid":"k","region":"r","vault_ocid":"v"}`,
	} {
		made := c.post(base, body)
		path := base + "/" + textAt(made, "id")
		if diff := cmp.Diff(made, c.get(path)); diff != "" {
			t.Errorf("made and got (-made +got):\n%s", diff)
		}
		if got := c.call(200, "POST", "/v1"+path+"/validate", ""); got["status"] != data.KeyValid {
			t.Errorf("validation: %v", got)
		}
		if diff := cmp.Diff(made, c.call(200, "DELETE", "/v1"+path, "")); diff != "" {
			t.Errorf("made and deleted (-made +deleted):\n%s", diff)
		}
		c.missing(path)
	}
	c.refuses(400, "missing_required_parameter", "type", "POST", base, `{}`)
	c.refuses(400, "invalid_value", "type", "POST", base, `{"type":"ibm"}`)
	c.refuses(400, "missing_required_parameter", "external_id", "POST", base, `{"type":"aws","name":"k","kms_arn":"a","role_arn":"r"}`)
	c.refuses(400, "unknown_parameter", "region", "POST", base, `{"type":"aws","name":"k","external_id":"e","kms_arn":"a","role_arn":"r","region":"x"}`)
	c.refuses(404, "not_found", "", "POST", base+"/none/validate", "")

	decryption := ids(c.get(base + "?purpose=psp_decryption"))
	if len(decryption) != 1 || slices.Contains(ids(c.get(base+"?purpose=ekm")), decryption[0]) {
		t.Errorf("for decryption: %v", decryption)
	}
	// A key lists the projects that it encrypts.
	key := textAt(c.post(base, `{"type":"oci","name":"k","key_ocid":"k","region":"r","vault_ocid":"v"}`), "id")
	project := textAt(c.post("/organization/projects", fmt.Sprintf(`{"name":"p","external_key_id":%q}`, key)), "id")
	if got := c.get(base + "/" + key)["api_project_ids"]; !cmp.Equal(got, []any{project}) {
		t.Errorf("projects %v", got)
	}
	// A key can be made to fail its validation.
	if err := c.sandbox.SetExternalKey(key, data.KeyInvalid); err != nil {
		t.Fatal(err)
	}
	if got := c.call(200, "POST", "/v1"+base+"/"+key+"/validate", ""); got["status"] != data.KeyInvalid {
		t.Errorf("validation: %v", got)
	}
	if c.sandbox.SetExternalKey(key, "lost") == nil || c.sandbox.SetExternalKey("none", data.KeyValid) == nil {
		t.Error("an unknown status, or an unknown key")
	}
}

func TestExternalStorage(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	const base = "/organization/external_storage"
	project := textAt(c.post("/organization/projects", `{"name":"p"}`), "id")
	body := func(provider string) string { return fmt.Sprintf(`{"project_id":%q,"provider":%s}`, project, provider) }
	var made []string
	for provider, added := range map[string]string{
		`{"type":"aws","bucket":"b","role_arn":"arn:aws:iam::123456789012:role/x"}`:                                                              "account_id",
		`{"type":"azure","account_name":"a","container":"c","resource_group":"r","subscription_id":"s","tenant_id":"t"}`:                         "region",
		`{"type":"gcp","bucket":"b","workload_identity_pool_id":"p","workload_identity_project_number":"1","workload_identity_provider_id":"i"}`: "audience",
		`{"type":"oci","bucket":"b","region":"eu-frankfurt-1","tenancy_ocid":"o"}`:                                                               "region",
	} {
		got := c.post(base, body(provider))
		if got["status"] != data.StoragePending || textAt(got, "provider", added) == "" || textAt(got, "geography") == "" {
			t.Errorf("made %v", got)
		}
		path := base + "/" + textAt(got, "id")
		if diff := cmp.Diff(got, c.get(path)); diff != "" {
			t.Errorf("made and got (-made +got):\n%s", diff)
		}
		if got := c.call(200, "POST", "/v1"+path+"/validate", ""); got["status"] != data.StorageValidated {
			t.Errorf("validated: %v", got)
		}
		if got := c.get(path); got["status"] != data.StorageValidated {
			t.Errorf("afterwards: %v", got)
		}
		made = append(made, textAt(got, "id"))
	}
	slices.Sort(made)
	listed := ids(c.get(base + "?project_id=" + project))
	slices.Sort(listed)
	if diff := cmp.Diff(made, listed); diff != "" {
		t.Errorf("of the project (-want +got):\n%s", diff)
	}

	// One that is unhealthy is still so when it is validated, until it recovers.
	path := base + "/" + made[0]
	for _, step := range []struct{ set, validated string }{
		{data.StorageUnhealthy, data.StorageUnhealthy}, {data.StorageDegraded, data.StorageDegraded},
		{data.StoragePending, data.StorageValidated},
	} {
		if err := c.sandbox.SetExternalStorage(made[0], step.set); err != nil {
			t.Fatal(err)
		}
		if got := c.get(path); got["status"] != step.set {
			t.Errorf("set to %s: %v", step.set, got["status"])
		}
		if got := c.call(200, "POST", "/v1"+path+"/validate", ""); got["status"] != step.validated {
			t.Errorf("validated from %s: %v", step.set, got["status"])
		}
	}
	if c.sandbox.SetExternalStorage(made[0], "lost") == nil || c.sandbox.SetExternalStorage("none", data.StoragePending) == nil {
		t.Error("an unknown status, or an unknown storage")
	}
	c.delete(path)
	c.missing(path)
	c.refuses(404, "not_found", "", "DELETE", path, "")

	c.refuses(400, "missing_required_parameter", "provider.type", "POST", base, body(`{}`))
	c.refuses(400, "missing_required_parameter", "provider.role_arn", "POST", base, body(`{"type":"aws","bucket":"b"}`))
	c.refuses(400, "unknown_parameter", "provider.region", "POST", base, body(`{"type":"aws","bucket":"b","role_arn":"r","region":"x"}`))
	oci := `{"type":"oci","bucket":"b","region":"r","tenancy_ocid":"o"}`
	c.refuses(404, "not_found", "", "POST", base, fmt.Sprintf(`{"project_id":"none","provider":%s}`, oci))
	c.post("/organization/projects/"+project+"/archive", "")
	c.refuses(400, "project_archived", "", "POST", base, body(oci))

	states := make(map[any]bool)
	for _, s := range items(dial(t, Options{}).get(base)) {
		states[s["status"]] = true
	}
	for _, state := range data.StorageStates() {
		if !states[state] {
			t.Errorf("no seeded storage is %s", state)
		}
	}
}

func TestServiceTiers(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	project := "/organization/projects/" + textAt(c.post("/organization/projects", `{"name":"p"}`), "id")
	path := project + "/service_tier_settings"
	if got := c.get(path); got["default"] != "standard" || got["enabled_tiers"] != "all" {
		t.Errorf("at first %v", got)
	}
	for _, step := range []struct {
		body, tier string
		enabled    any
	}{
		{`{"enabled_tiers":["flex","fast"]}`, "standard", []any{"flex", "fast"}},
		{`{"default":"fast"}`, "fast", []any{"flex", "fast"}},
		{`{"enabled_tiers":[]}`, "fast", []any{}},
		{`{"default":"scale","enabled_tiers":"all"}`, "scale", "all"},
	} {
		want := map[string]any{"object": "project.service_tier_settings", "default": step.tier, "enabled_tiers": step.enabled}
		if diff := cmp.Diff(want, c.post(path, step.body)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.body, diff)
		}
		if diff := cmp.Diff(want, c.get(path)); diff != "" {
			t.Errorf("after %s (-want +got):\n%s", step.body, diff)
		}
	}
	c.refuses(400, "missing_required_parameter", "", "POST", path, `{}`)
	c.refuses(400, "invalid_type", "enabled_tiers", "POST", path, `{"enabled_tiers":"some"}`)
	c.refuses(400, "invalid_value", "enabled_tiers[0]", "POST", path, `{"enabled_tiers":["slow"]}`)
	c.refuses(400, "invalid_type", "default", "POST", path, `{"default":null}`)
}

// A geography is the older form of a residency; a project has one of both.
func TestGeography(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	const base = "/organization/projects"
	for geography, residency := range map[string]string{
		`"EU"`: "EU_STORAGE_PROCESSING", `"JP"`: "JP_STORAGE_PROCESSING", `"GB"`: "GB_STORAGE", `"GLOBAL"`: "GLOBAL", `null`: "GLOBAL",
	} {
		if got := c.post(base, fmt.Sprintf(`{"name":"p","geography":%s}`, geography)); got["residency"] != residency {
			t.Errorf("geography %s: %v", geography, got["residency"])
		}
	}
	if got := c.post(base, `{"name":"p","residency":"AU_STORAGE_PROCESSING","geography":null}`); got["residency"] != "AU_STORAGE_PROCESSING" {
		t.Errorf("residency %v", got["residency"])
	}
	c.refuses(400, "invalid_value", "geography", "POST", base, `{"name":"p","geography":"EU","residency":"GLOBAL"}`)
	c.refuses(400, "invalid_value", "geography", "POST", base, `{"name":"p","geography":"Atlantis"}`)
	project := base + "/" + textAt(c.post(base, `{"name":"p"}`), "id")
	if got := c.post(project, `{"geography":"EU"}`); got["residency"] != "GLOBAL" {
		t.Errorf("an update moved the project: %v", got)
	}
}
