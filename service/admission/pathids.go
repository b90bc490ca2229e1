package admission

import (
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
)

// pathIDs are the fields of a kind of message whose only rule is path_id. Almost every
// request has one, and protovalidate evaluates the rule in CEL, which takes longer than
// the rest of a look-up in the cache. What is plainly an identifier need not be asked
// about; protovalidate decides on everything else, and says what is wrong with it.
type pathIDs struct {
	fields []protoreflect.FieldDescriptor
	// alone says that the message has no other rules.
	alone bool
	// others has protovalidate leave the fields out.
	others protovalidate.ValidationOption
}

// pathIDsOf finds them.
func pathIDsOf(message protoreflect.MessageDescriptor) *pathIDs {
	found := &pathIDs{alone: !proto.HasExtension(message.Options(), validate.E_Message)}
	only := validate.FieldRules_builder{String: new(validate.StringRules)}.Build()
	proto.SetExtension(only.GetString(), optionsv1.E_PathId, true)
	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		rules, _ := proto.GetExtension(field.Options(), validate.E_Field).(*validate.FieldRules)
		switch {
		case field.Kind() == protoreflect.StringKind && field.Cardinality() != protoreflect.Repeated && proto.Equal(rules, only):
			found.fields = append(found.fields, field)
		case rules != nil || field.Message() != nil:
			found.alone = false
		}
	}
	for i := range message.Oneofs().Len() {
		if proto.HasExtension(message.Oneofs().Get(i).Options(), validate.E_Oneof) {
			found.alone = false
		}
	}
	found.others = protovalidate.WithFilter(protovalidate.FilterFunc(func(_ protoreflect.Message, d protoreflect.Descriptor) bool {
		for _, field := range found.fields {
			if d == field {
				return false
			}
		}
		return true
	}))
	return found
}

// hold says whether all of them are plainly identifiers.
func (p *pathIDs) hold(m protoreflect.Message) bool {
	for _, field := range p.fields {
		if field.HasPresence() && !m.Has(field) {
			continue // Without a value there is nothing to check.
		}
		if !isPathID(m.Get(field).String()) {
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
