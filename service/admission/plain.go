package admission

import (
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
)

// plain says which requests of a kind plainly keep the rules of their schema: most have an
// id and the size of a page, if anything. To ask protovalidate takes longer than the rest
// of a look-up in the cache, as the rule path_id is evaluated in CEL. It decides on every
// request that is not plain, and says what is wrong with it.
type plain struct {
	// never says that there are rules that always have to be evaluated.
	never bool
	// fields are those that decide. A value that is not there keeps all rules.
	fields []plainField
}

// plainField is a field whose values may be plain.
type plainField struct {
	protoreflect.FieldDescriptor
	// holds says of a value that is there whether it plainly keeps the rules of the field;
	// nil: none does.
	holds func(protoreflect.Value) bool
}

// plainOf reads the rules of a message.
func plainOf(message protoreflect.MessageDescriptor) *plain {
	p := &plain{never: proto.HasExtension(message.Options(), validate.E_Message)}
	for i := range message.Oneofs().Len() {
		p.never = p.never || proto.HasExtension(message.Oneofs().Get(i).Options(), validate.E_Oneof)
	}
	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		rules, _ := proto.GetExtension(field.Options(), validate.E_Field).(*validate.FieldRules)
		holds := plainValues(field, rules)
		switch {
		case rules == nil && field.Message() == nil: // It has no rules, in no message below.
		case holds == nil && rules != nil && (rules.GetRequired() || !field.HasPresence()):
			p.never = true
		default:
			p.fields = append(p.fields, plainField{field, holds})
		}
	}
	return p
}

// plainValues says of which values it is plain that they keep the rules.
func plainValues(field protoreflect.FieldDescriptor, rules *validate.FieldRules) func(protoreflect.Value) bool {
	if field.Cardinality() == protoreflect.Repeated {
		return nil
	}
	pathID := validate.FieldRules_builder{String: new(validate.StringRules)}.Build()
	proto.SetExtension(pathID.GetString(), optionsv1.E_PathId, true)
	if proto.Equal(rules, pathID) {
		return func(v protoreflect.Value) bool { return isPathID(v.String()) }
	}
	if least, most, ok := int32Range(rules); ok {
		return func(v protoreflect.Value) bool { return least <= v.Int() && v.Int() <= most }
	}
	return nil
}

// int32Range is what the rules say where they say a range and nothing else.
func int32Range(rules *validate.FieldRules) (least, most int64, ok bool) {
	of := rules.GetInt32()
	if of == nil || !of.HasGte() || !of.HasLte() || of.GetGte() > of.GetLte() {
		return 0, 0, false
	}
	gte, lte := of.GetGte(), of.GetLte()
	alone := validate.FieldRules_builder{Int32: validate.Int32Rules_builder{Gte: &gte, Lte: &lte}.Build()}.Build()
	return int64(gte), int64(lte), proto.Equal(rules, alone)
}

// keeps says whether a message plainly keeps its rules.
func (p *plain) keeps(m protoreflect.Message) bool {
	if p.never {
		return false
	}
	for _, field := range p.fields {
		switch has := m.Has(field.FieldDescriptor); {
		case !has && (field.HasPresence() || field.Cardinality() == protoreflect.Repeated):
			// There is nothing to keep.
		case field.holds == nil || !field.holds(m.Get(field.FieldDescriptor)):
			return false
		}
	}
	return true
}

// isPathID is the rule path_id for texts of printable ASCII; other texts are none here.
func isPathID(text string) bool {
	if text == "" || text == "." || text == ".." || len(text) > 256 {
		return false
	}
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c > '~' || strings.IndexByte(`/\?#%`, c) >= 0 {
			return false
		}
	}
	return true
}
