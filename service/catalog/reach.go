package catalog

import (
	"fmt"

	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
)

// reachingFields are the names of the fields of requests that name something of the
// organization, or give a share in it. One that a declaration overlooks would let a
// grant for a project reach beyond it.
var reachingFields = []protoreflect.Name{
	"role", "role_id", "group_id", "external_key_id", "certificate_ids", "workload_identity_provider_id", "service_account_id",
}

// compileReaches checks that a write about projects declares how far each of its
// reaching fields reaches.
func (m *Method) compileReaches(policy *optionsv1.Policy) error {
	fields := m.Descriptor.Input().Fields()
	declared := make(map[protoreflect.Name]bool)
	for _, r := range policy.GetReaches() {
		name := protoreflect.Name(r.GetField())
		switch {
		case m.Read || m.Project == "":
			return fmt.Errorf("reaches %q: it is no write about projects", name)
		case fields.ByName(name) == nil || declared[name]:
			return fmt.Errorf("reaches %q: not a field of the request, or twice", name)
		case r.GetWithin() && len(r.GetValues()) > 0:
			return fmt.Errorf("reaches %q: says within and lists values", name)
		}
		declared[name] = true
		if r.GetWithin() {
			continue
		}
		if m.reaches == nil {
			m.reaches = make(map[protoreflect.Name][]string)
		}
		m.reaches[name] = r.GetValues()
	}
	if m.Read || m.Project == "" {
		return nil
	}
	for _, name := range reachingFields {
		if fields.ByName(name) != nil && !declared[name] {
			return fmt.Errorf("has the request field %s, and does not say in reaches whether it reaches beyond the project", name)
		}
	}
	return nil
}
