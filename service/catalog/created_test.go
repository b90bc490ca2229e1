package catalog_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	_ "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1" // Its RPCs are looked at.
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

// recordsID says whether the record names the thing that a message of the answer is
// about, at a path that ends in an id or, for what has none, a name.
func recordsID(m *catalog.Method, under string) bool {
	return slices.ContainsFunc(m.RecordedAnswer(), func(r catalog.Recorded) bool {
		rest, ok := strings.CutPrefix(r.Path, under)
		return ok && (rest == "id" || rest == "name" || strings.HasSuffix(rest, "_id"))
	})
}

// holders are the paths of the messages within an answer that hold a credential and have
// an id: a credential that was made, each of them.
func holders(message protoreflect.MessageDescriptor, prefix string, above []protoreflect.FullName) (paths []string) {
	if slices.Contains(above, message.FullName()) {
		return nil
	}
	above = append(slices.Clone(above), message.FullName())
	secret := false
	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		options, _ := field.Options().(*descriptorpb.FieldOptions)
		secret = secret || options.GetDebugRedact()
		if field.Message() != nil && !field.IsMap() {
			paths = append(paths, holders(field.Message(), prefix+string(field.Name())+".", above)...)
		}
	}
	if secret && message.Fields().ByName("id") != nil {
		paths = append(paths, prefix)
	}
	return paths
}

// TestEveryCreateIsRecordedByItsID: the record of every write of the mirror that puts
// something into a collection names it, and names every credential that came with it.
// What has no id of its own is named by the request: a member of a group, a role of a
// user.
func TestEveryCreateIsRecordedByItsID(t *testing.T) {
	t.Parallel()
	collections := make(map[string]bool) // What has items below it.
	for _, m := range catalogtest.Gateway(t).Mirrored() {
		if template := m.Endpoint.Template(); strings.HasSuffix(template, "}") {
			collections[template[:strings.LastIndex(template, "/{")]] = true
		}
	}
	creates := 0
	for _, m := range catalogtest.Gateway(t).Mirrored() {
		for _, under := range holders(m.Response.Descriptor(), "", nil) {
			if !recordsID(m, under) {
				t.Errorf("the record of %s does not name the credential %s", m.ShortName(), under)
			}
		}
		if m.Endpoint.Verb() != http.MethodPost || !collections[m.Endpoint.Template()] {
			continue
		}
		answered := slices.ContainsFunc(m.RecordedAnswer(), func(r catalog.Recorded) bool {
			return strings.HasSuffix("."+r.Path, ".id") || strings.HasSuffix("."+r.Path, ".name")
		})
		asked := slices.ContainsFunc(m.RecordedRequest(), func(r catalog.Recorded) bool {
			return strings.HasSuffix(r.Path, "_id") || strings.HasSuffix(r.Path, "_ids.values") || strings.HasSuffix(r.Path, "_ids")
		})
		if !answered && !asked {
			t.Errorf("the record of %s names nothing that was created", m.ShortName())
		}
		creates++
	}
	if creates < 20 {
		t.Errorf("only %d writes create something", creates)
	}
}

// TestEveryWriteOnLeasesNamesThem: the record of every write of LeaseService has the id
// of the lease, or what selects the leases, and that of a lease that is made, or read with
// its secret, the ids of its key too.
func TestEveryWriteOnLeasesNamesThem(t *testing.T) {
	t.Parallel()
	writes := 0
	for _, m := range catalogtest.Gateway(t).Methods() {
		if m.Descriptor.ParentFile().Package() != catalog.LeasePackage || m.Read {
			continue
		}
		writes++
		named := func(recorded []catalog.Recorded, paths ...string) bool {
			return slices.ContainsFunc(recorded, func(r catalog.Recorded) bool { return slices.Contains(paths, r.Path) })
		}
		selects := named(m.RecordedRequest(), "role") && named(m.RecordedRequest(), "caller") && named(m.RecordedRequest(), "holder")
		if !named(m.RecordedRequest(), "lease_id") && !named(m.RecordedAnswer(), "lease.id", "static_role.api_key_id") && m.Project == "" && !selects {
			t.Errorf("the record of %s does not say which leases", m.ShortName())
		}
		if m.Secret && (!named(m.RecordedAnswer(), "lease.api_key_id", "static_role.api_key_id") || !named(m.RecordedAnswer(), "lease.service_account_id", "static_role.service_account_id")) {
			t.Errorf("the record of %s lacks the ids of the key", m.ShortName())
		}
	}
	if writes < 6 {
		t.Errorf("only %d writes", writes)
	}
}
