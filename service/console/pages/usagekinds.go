package pages

import (
	"slices"
	"strings"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
)

// usageKind is a kind of usage, as the declarations have it: what it is measured in, and
// what it can be split by.
type usageKind struct {
	option

	spec     connect.Spec
	request  protoreflect.MessageDescriptor
	answer   protoreflect.MessageDescriptor
	measures []measure
	splits   []usageSplit
}

// measure is one number of a result.
type measure struct {
	option

	field protoreflect.FieldDescriptor
	// level says that it is how much there is of something, and not how much of it was
	// used: a sum of days would say nothing, and their mean does.
	level bool
}

// usageSplit is a field of results that a request can group them by.
type usageSplit struct {
	option

	number protoreflect.EnumNumber // 0: not at all
	field  protoreflect.FieldDescriptor
}

// usageKinds are all kinds, in the order of their names, but for completions, which come
// first.
func usageKinds() []usageKind {
	service := adminv1.File_admingateway_admin_v1_usage_proto.Services().ByName("UsageService")
	var all []usageKind
	for i := range service.Methods().Len() {
		if kind, ok := usageKindOf(service.Methods().Get(i)); ok {
			all = append(all, kind)
		}
	}
	slices.SortStableFunc(all, func(a, b usageKind) int {
		first := func(k usageKind) int {
			if k.Value == "completions" {
				return 0
			}
			return 1
		}
		return first(a) - first(b)
	})
	return all
}

// usageKindOf reads a declaration; false for one without buckets of results.
func usageKindOf(method protoreflect.MethodDescriptor) (usageKind, bool) {
	name := strings.TrimSuffix(strings.TrimPrefix(string(method.Name()), "List"), "Usage")
	words := snake(name)
	buckets := method.Output().Fields().ByName("data")
	groupBy := method.Input().Fields().ByName("group_by")
	if buckets == nil || groupBy == nil || groupBy.Enum() == nil {
		return usageKind{}, false
	}
	results := buckets.Message().Fields().ByName("results")
	if results == nil {
		return usageKind{}, false
	}
	kind := usageKind{
		option: option{words, title(words)}, request: method.Input(), answer: method.Output(),
		spec: connect.Spec{
			Procedure: "/" + string(method.Parent().FullName()) + "/" + string(method.Name()), Schema: method,
			StreamType: connect.StreamTypeUnary, IdempotencyLevel: connect.IdempotencyNoSideEffects,
		},
	}
	fields := results.Message().Fields()
	for i := range fields.Len() {
		if f := fields.Get(i); f.Kind() == protoreflect.Int64Kind && !f.IsList() {
			kind.measures = append(kind.measures, measureOf(f))
		}
	}
	values := groupBy.Enum().Values()
	for i := range values.Len() {
		by, _ := proto.GetExtension(values.Get(i).Options(), optionsv1.E_JsonValue).(string)
		if f := fields.ByName(protoreflect.Name(by)); f != nil && f.Kind() == protoreflect.StringKind {
			kind.splits = append(kind.splits, usageSplit{option{by, title(strings.TrimSuffix(by, "_id"))}, values.Get(i).Number(), f})
		}
	}
	kind.splits = append(kind.splits, usageSplit{option: option{"none", "Nothing"}})
	return kind, len(kind.measures) > 0
}

// measureOf is the measure of a field.
func measureOf(field protoreflect.FieldDescriptor) measure {
	name := string(field.Name())
	m := measure{option{name, title(strings.TrimPrefix(strings.TrimPrefix(name, "num_model_"), "num_"))}, field, strings.HasSuffix(name, "_bytes")}
	if m.level {
		m.Title += ", mean of the days"
	}
	return m
}

// snake is a name of several words as fields have it.
func snake(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	return strings.ToLower(b.String())
}

// title is the name of a field for people.
func title(name string) string {
	words := strings.ReplaceAll(strings.ReplaceAll(name, "_", " "), "api key", "API key")
	if words == "" {
		return ""
	}
	return strings.ToUpper(words[:1]) + words[1:]
}

// chosen is the option of a value; the first for what is none.
func chosen[T any](all []T, value func(T) string, of string) T {
	if i := slices.IndexFunc(all, func(one T) bool { return value(one) == of }); i >= 0 {
		return all[i]
	}
	return all[0]
}
