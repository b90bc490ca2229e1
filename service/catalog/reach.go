package catalog

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/internal/textkind"
)

// reachingFields are the names of the fields of requests that name something of the
// organization, or give a share in it, whatever their type and wherever they are. One
// that a declaration overlooks would let a grant for a project reach beyond it.
var reachingFields = []protoreflect.Name{
	"role", "role_id", "group_id", "external_key_id", "certificate_ids", "workload_identity_provider_id", "service_account_id",
}

// compileReaches checks that a write about projects declares how far each of its
// reaching fields reaches, at any depth.
func (m *Method) compileReaches(policy *optionsv1.Policy) error {
	about := !m.Read && m.Project != ""
	if !about && len(policy.GetReaches()) > 0 {
		return fmt.Errorf("reaches %q: it is no write about projects", policy.GetReaches()[0].GetField())
	}
	declared := make(map[string]bool)
	for _, r := range policy.GetReaches() {
		switch {
		case declared[r.GetField()]:
			return fmt.Errorf("reaches %q: twice", r.GetField())
		case r.GetWithin() && len(r.GetValues()) > 0:
			return fmt.Errorf("reaches %q: says within and lists values", r.GetField())
		}
		declared[r.GetField()] = true
		if r.GetWithin() {
			continue
		}
		if m.reaches == nil {
			m.reaches = make(map[string][]string)
		}
		m.reaches[r.GetField()] = r.GetValues()
	}
	if !about {
		return nil
	}
	reaching := m.reaching(m.Descriptor.Input(), "", nil)
	for _, path := range reaching {
		if !declared[path] {
			return fmt.Errorf("has the request field %s, and does not say in reaches whether it reaches beyond the project", path)
		}
	}
	for path := range declared {
		if !slices.Contains(reaching, path) {
			return fmt.Errorf("reaches %q: no field of the request that could reach beyond the project", path)
		}
	}
	return nil
}

// reaching are the paths of the fields that may reach beyond the projects of a request:
// those with the names of [reachingFields], and each other id and word, but for the
// scope itself and what is in the path. A path leads to something of the project, as it
// begins with it.
func (m *Method) reaching(message protoreflect.MessageDescriptor, prefix string, above []protoreflect.FullName) []string {
	if slices.Contains(above, message.FullName()) {
		return nil
	}
	above = append(slices.Clone(above), message.FullName())
	var paths []string
	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		path := prefix + string(field.Name())
		switch {
		case path == m.Project:
		case field.Message() != nil && !field.IsMap():
			paths = append(paths, m.reaching(field.Message(), path+".", above)...)
		case isReaching(field) && (!slices.Contains(m.variables, field) || slices.Contains(reachingFields, field.Name())):
			paths = append(paths, path)
		}
	}
	return paths
}

// isReaching says whether a field names something of the upstream, or gives a share in
// it. What another system calls by one of the names does not.
func isReaching(field protoreflect.FieldDescriptor) bool {
	switch textkind.Of(field) {
	case optionsv1.TextKind_TEXT_KIND_ID, optionsv1.TextKind_TEXT_KIND_WORD:
		return true
	case optionsv1.TextKind_TEXT_KIND_UNSPECIFIED:
		return slices.Contains(reachingFields, field.Name()) // An enum.
	default:
		return false
	}
}
