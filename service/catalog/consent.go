package catalog

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/internal/permission"
	"github.com/admin-gateway/admin-gateway/service/authz"
)

// Consent is a field of a request with which its caller says that it means an empty
// list, which means everything.
type Consent struct {
	// Field is the bool with which a caller says so.
	Field protoreflect.FieldDescriptor
	// List is the field that may be empty with the consent alone.
	List protoreflect.FieldDescriptor

	permission string
	access     *authz.Handle
}

// Access is the permission that stands for the consent where a caller has no word
// for it.
func (c *Consent) Access() *authz.Handle { return c.access }

// Needed says whether the list of a request is there and empty, without consent.
func (c *Consent) Needed(request protoreflect.Message) bool {
	if !request.Has(c.List) || request.Get(c.Field).Bool() {
		return false
	}
	list := request.Get(c.List).Message()
	return list.Get(list.Descriptor().Fields().Get(0)).List().Len() == 0
}

// Consents are the consents that requests of the method can need. The slice is the
// method's own: it is not changed.
func (m *Method) Consents() []*Consent { return m.consents }

// procedure names a consent among the methods of the policy.
func (c *Consent) procedure(m *Method) string { return m.Procedure + "#" + string(c.Field.Name()) }

// compileConsents finds the consents of the request.
func (m *Method) compileConsents() error {
	fields := m.Descriptor.Input().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		mapping, _ := proto.GetExtension(field.Options(), optionsv1.E_Field).(*optionsv1.FieldMapping)
		declared := mapping.GetConsent()
		if declared == nil {
			continue
		}
		list := fields.ByName(protoreflect.Name(declared.GetToEmpty()))
		switch {
		case field.Kind() != protoreflect.BoolKind || field.IsList():
			return fmt.Errorf("field %s consents, and is no bool", field.Name())
		case list == nil || !isArray(list):
			return fmt.Errorf("field %s consents to_empty %q, which is no field that stands for a JSON array", field.Name(), declared.GetToEmpty())
		case !permission.Valid(declared.GetPermission()):
			return fmt.Errorf("permission %q of the consent %s is not a dotted resource and verb", declared.GetPermission(), field.Name())
		}
		m.consents = append(m.consents, &Consent{Field: field, List: list, permission: declared.GetPermission()})
	}
	return nil
}

func isArray(field protoreflect.FieldDescriptor) bool {
	if field.Message() == nil || field.IsList() {
		return false
	}
	is, _ := proto.GetExtension(field.Message().Options(), optionsv1.E_JsonArray).(bool)
	return is
}

// compileRestarts checks the field that makes a repeated write another one.
func (m *Method) compileRestarts(policy *optionsv1.Policy) error {
	name := policy.GetRestarts()
	if name == "" {
		return nil
	}
	m.restarts = m.Descriptor.Input().Fields().ByName(protoreflect.Name(name))
	if m.restarts == nil || !m.restarts.HasPresence() || m.Read {
		return fmt.Errorf("restarts %q, which is no optional field of a write's request", name)
	}
	return nil
}

// Restarts names the field of a request because of which the write, made again, has
// another effect; "" where there is none.
func (m *Method) Restarts(request protoreflect.Message) string {
	if m.restarts == nil || !request.Has(m.restarts) {
		return ""
	}
	return string(m.restarts.Name())
}
