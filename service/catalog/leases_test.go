package catalog_test

import (
	"strings"
	"testing"

	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

// TestFaultyScopesOfLeases: a method of leases that says wrongly which it concerns is
// refused, and so is a mirror that says so at all.
func TestFaultyScopesOfLeases(t *testing.T) {
	t.Parallel()
	byRole := func(name string) func(*optionsv1.Policy) {
		return func(p *optionsv1.Policy) {
			p.Scope = &optionsv1.Policy_Leases{Leases: &optionsv1.LeaseScope{By: &optionsv1.LeaseScope_Role{Role: name}}}
		}
	}
	anyOf := func(permission string) func(*optionsv1.Policy) {
		return func(p *optionsv1.Policy) { p.GetLeases().Any = permission }
	}
	needs := func(field, permission string) func(*optionsv1.Policy) {
		return func(p *optionsv1.Policy) {
			p.Needs = append(p.Needs, &optionsv1.Need{Field: field, Permission: permission})
		}
	}
	lease := func() catalogtest.Declarations {
		return catalogtest.CopyOf(leasev1.File_admingateway_lease_v1_service_proto)
	}
	mirror := func() catalogtest.Declarations {
		return catalogtest.CopyOf(catalogtest.Method(t, "ProjectService/GetProject").Descriptor.ParentFile())
	}
	for name, test := range map[string]struct {
		file func() catalogtest.Declarations
		rpc  string
		edit func(*optionsv1.Policy)
		want string
	}{
		"as it is":             {lease, "CreateLease", func(*optionsv1.Policy) {}, ""},
		"no field of either":   {lease, "CreateLease", func(p *optionsv1.Policy) { p.GetLeases().By = nil }, "neither the field"},
		"no such field":        {lease, "CreateLease", byRole("rolle"), "no string field"},
		"no field of a string": {lease, "CreateLease", byRole("ttl"), "no string field"},
		"an overlooked role":   {lease, "ListLeases", byRole("caller"), "field role, and its scope is another"},
		"an overlooked lease":  {lease, "RotateLease", byRole("request_id"), "field lease_id, and its scope is another"},
		"no permission":        {lease, "RevokeLease", anyOf("revoke"), "not a dotted resource"},
		"no field of a need":   {lease, "CreateLease", needs("owner", "leases.delegate"), `no field "owner"`},
		"a need twice":         {lease, "CreateLease", needs("holder", "leases.delegate"), "twice"},
		"no permission there":  {lease, "CreateLease", needs("labels", "label"), "not a dotted resource"},
		"a mirror":             {mirror, "GetProject", byRole("project_id"), "is a mirror"},
		"a mirror with needs":  {mirror, "GetProject", needs("project_id", "projects.update"), "is a mirror"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			declared := test.file()
			catalogtest.EditPolicy(t, declared.Method(t, test.rpc), test.edit)
			built := declared.Build(t)
			files := catalog.Files()
			for i, file := range files {
				if file.Path() == built.Path() {
					files[i] = built
				}
			}
			_, err := catalog.New(files, nil)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
