// Package textkind says which kind of text the strings of requests are, and checks
// them. A policy compares texts exactly, so none may come through that the upstream
// could read as another one than the policy did: "Owner", "owner " or "proj_a,proj_b".
//
// The catalog compiles a [Plan] for each request, and package admission has it checked
// before a decision. What draws requests for tests needs the kinds too.
package textkind

import (
	"slices"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
)

// cursorNames are the upstream's names for a place in a list.
func cursorNames() []string { return []string{"after", "before", "page"} }

// Of is the kind of a field's strings: as it is declared, or by its name. It is
// UNSPECIFIED for a field that says neither.
func Of(field protoreflect.FieldDescriptor) optionsv1.TextKind {
	mapping, _ := proto.GetExtension(field.Options(), optionsv1.E_Field).(*optionsv1.FieldMapping)
	name := string(field.Name())
	switch {
	case mapping.GetText() != optionsv1.TextKind_TEXT_KIND_UNSPECIFIED:
		return mapping.GetText()
	case field.IsMap():
		return optionsv1.TextKind_TEXT_KIND_UNSPECIFIED
	case name == "id" || strings.HasSuffix(name, "_id") || strings.HasSuffix(name, "_ids") || IsPathID(field):
		return optionsv1.TextKind_TEXT_KIND_ID
	case slices.Contains(cursorNames(), name):
		return optionsv1.TextKind_TEXT_KIND_CURSOR
	default:
		return optionsv1.TextKind_TEXT_KIND_UNSPECIFIED
	}
}

// ofKeys is the kind of the keys of a map, as it is declared.
func ofKeys(field protoreflect.FieldDescriptor) optionsv1.TextKind {
	mapping, _ := proto.GetExtension(field.Options(), optionsv1.E_Field).(*optionsv1.FieldMapping)
	return mapping.GetKeys()
}

// IsPathID says whether a field has the rule path_id, which confines a variable of the
// path to its segment.
func IsPathID(field protoreflect.FieldDescriptor) bool {
	rules, _ := proto.GetExtension(field.Options(), validate.E_Field).(*validate.FieldRules)
	is, _ := proto.GetExtension(rules.GetString(), optionsv1.E_PathId).(bool)
	return is
}
