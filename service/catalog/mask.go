package catalog

import (
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/internal/fieldmask"
)

// compileMask finds the mask of the request, and the fields that are sent only where it
// names them. A mask has no say in the path, in ends, which are always sent, and in what
// is for the gateway alone.
func (m *Method) compileMask() {
	input := m.Descriptor.Input()
	m.mask = fieldmask.Of(input)
	if m.mask == nil {
		return
	}
	apart := append(slices.Clone(m.variables), m.mask)
	for i := range input.Fields().Len() {
		field := input.Fields().Get(i)
		mapping, _ := proto.GetExtension(field.Options(), optionsv1.E_Field).(*optionsv1.FieldMapping)
		if mapping.GetEnds() != "" {
			apart = append(apart, field, input.Fields().ByName(protoreflect.Name(mapping.GetEnds())))
		}
		if mapping.GetConsent() != nil {
			apart = append(apart, field)
		}
	}
	for i := range input.Fields().Len() {
		if field := input.Fields().Get(i); !slices.Contains(apart, field) {
			m.maskable = append(m.maskable, field)
		}
	}
}

// ClearUnsent clears the fields of a request that its mask keeps from being sent: those
// that are set, and not named. What a decision sees, and a record says, is then what the
// upstream gets.
func (m *Method) ClearUnsent(request protoreflect.Message) {
	if m.mask == nil || !request.Has(m.mask) {
		return
	}
	for _, field := range m.maskable {
		if request.Has(field) && !fieldmask.Names(request, m.mask, field.Name()) {
			request.Clear(field)
		}
	}
}
