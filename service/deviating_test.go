package service_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

// TestEveryLeafMayDeviate puts a value of another type in place of every member that an
// answer can have, one at a time. All else arrives, and the path is named; of the
// members that are never left out, the answer is refused.
func TestEveryLeafMayDeviate(t *testing.T) {
	t.Parallel()
	d := deviations{seen: make(map[protoreflect.FullName]bool)}
	for _, m := range catalogtest.Gateway(t).Mirrored() {
		d.t, d.method = t, m
		d.walk(catalogtest.AnswerOf(m), "", func(o object) object { return o })
	}
	if d.omitted < 500 || d.refused < 200 {
		t.Errorf("%d members were left out, %d refused", d.omitted, d.refused)
	}
}

type object = map[string]any

// deviations visits every message of every answer once.
type deviations struct {
	t                *testing.T
	method           *catalog.Method
	seen             map[protoreflect.FullName]bool
	omitted, refused int
}

// walk changes every member of a message at a path. answer puts an object of it into
// a whole answer.
func (d *deviations) walk(md protoreflect.MessageDescriptor, path string, answer func(object) object) {
	if d.seen[md.FullName()] {
		return
	}
	d.seen[md.FullName()] = true
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		name := catalogtest.MemberOf(fd)
		if catalogtest.Discriminator(fd) != "" {
			d.walk(fd.Message(), path, func(o object) object {
				whole := fitting(md, fd, 0)
				for member := range fitting(fd.Message(), nil, 0) {
					delete(whole, member)
				}
				maps.Copy(whole, o)
				return answer(whole)
			})
			continue
		}
		at := strings.TrimPrefix(path+"."+name, ".")
		with := func(value any) object {
			o := fitting(md, fd, 0)
			o[name] = value
			return answer(o)
		}
		whole := fitting(md, fd, 0)
		delete(whole, name)
		d.check(fd, at, with(misfit(fd, false)), answer(whole))
		if fd.IsList() {
			fits, _ := value(fd, 0).([]any)
			d.check(fd, at+"[]", with(append(slices.Clone(fits), misfit(fd, true))), with(fits))
		}
		if fd.IsMap() {
			fits, _ := value(fd, 0).(object)
			odd := maps.Clone(fits)
			odd["odd"] = []any{"}"}
			d.check(fd, at+"[]", with(odd), with(fits))
		}
		d.below(fd, at, with)
	}
}

// below walks the message that a field holds.
func (d *deviations) below(fd protoreflect.FieldDescriptor, at string, with func(any) object) {
	md := fd.Message()
	if md == nil || fd.IsMap() || md.ParentFile().Package() == "google.protobuf" || isChoice(md) {
		return
	}
	list := fd.IsList()
	if isArray(md) {
		if md = md.Fields().Get(0).Message(); md == nil {
			return
		}
		list = true
	}
	if list {
		d.walk(md, at+"[]", func(o object) object { return with([]any{o}) })
		return
	}
	d.walk(md, at, func(o object) object { return with(o) })
}

// check wants of a deviating answer what there is in one without the deviation.
func (d *deviations) check(fd protoreflect.FieldDescriptor, at string, deviating, without object) {
	d.t.Helper()
	if fd.Message() != nil && (fd.Message().FullName() == "google.protobuf.Value" || isChoice(fd.Message())) {
		return // Any value fits, or one of several.
	}
	text := encoded(d.t, deviating)
	got, err := d.method.Endpoint.Decode(text)
	mapping, options := catalogtest.MappingOf(fd), descriptorOptions(fd)
	if mapping.GetEssential() || mapping.GetStrict() || mapping.GetDecimal() || options.GetDebugRedact() {
		d.refused++
		if err == nil || (got.JSON == nil) != mapping.GetEssential() || len(got.Wire) > 0 {
			d.t.Errorf("%s: %s is left out of %s: %v", d.method.ShortName(), at, text, err)
		}
		return
	}
	d.omitted++
	want, wantErr := d.method.Endpoint.Decode(encoded(d.t, without))
	if err != nil || wantErr != nil || !slices.Equal(got.Omitted, []string{at}) || len(want.Omitted) > 0 {
		d.t.Errorf("%s: %s: %v, %v; left out are %q, and %q of the whole", d.method.ShortName(), text, err, wantErr, got.Omitted, want.Omitted)
		return
	}
	if !proto.Equal(unmarshal(d.t, d.method, got.Wire), unmarshal(d.t, d.method, want.Wire)) {
		d.t.Errorf("%s: without %s more is missing from %s", d.method.ShortName(), at, text)
	}
	if _, err := d.method.Endpoint.Exactly().Decode(text); err == nil {
		d.t.Errorf("%s: read exactly, %s passes", d.method.ShortName(), text)
	}
}

// fitting is an object with all members of a message, but of a oneof the given one, or
// the first.
func fitting(md protoreflect.MessageDescriptor, chosen protoreflect.FieldDescriptor, depth int) object {
	o := make(object)
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		one := fd.ContainingOneof()
		if one != nil && !one.IsSynthetic() && fd != chosen && (chosen != nil && chosen.ContainingOneof() == one || fd != one.Fields().Get(0)) {
			continue
		}
		if discriminator := catalogtest.Discriminator(fd); discriminator != "" {
			maps.Copy(o, fitting(fd.Message(), nil, depth))
			o[discriminator] = catalogtest.MemberOf(fd)
			continue
		}
		if fd.Message() != nil && depth > 3 && !catalogtest.MappingOf(fd).GetEssential() {
			continue
		}
		o[catalogtest.MemberOf(fd)] = value(fd, depth)
	}
	return o
}

// value is a value that fits a field.
func value(fd protoreflect.FieldDescriptor, depth int) any {
	if fd.IsMap() {
		return object{"a key": value(fd.MapValue(), depth+1)}
	}
	var one any = 7
	switch kind, md := fd.Kind(), fd.Message(); {
	case kind == protoreflect.BoolKind:
		one = true
	case kind == protoreflect.StringKind && catalogtest.MappingOf(fd).GetDecimal():
		one = "0.5"
	case kind == protoreflect.StringKind:
		one = "text"
	case kind == protoreflect.EnumKind:
		one, _ = proto.GetExtension(fd.Enum().Values().Get(1).Options(), optionsv1.E_JsonValue).(string)
	case md == nil || md.FullName() == "google.protobuf.Timestamp":
	case md.FullName() == "google.protobuf.Struct":
		one = object{"a": 1}
	case isArray(md):
		one = value(md.Fields().Get(0), depth+1)
	case isChoice(md):
		one = value(md.Oneofs().Get(0).Fields().Get(0), depth+1)
	default:
		one = fitting(md, nil, depth+1)
	}
	if fd.IsList() {
		return []any{one}
	}
	return one
}

// misfit is a value that fits neither a field nor its elements.
func misfit(fd protoreflect.FieldDescriptor, element bool) any {
	if fd.Message() != nil || fd.IsList() && !element {
		return "odd"
	}
	return object{"odd": []any{"}", 1}}
}

func isArray(md protoreflect.MessageDescriptor) bool {
	is, _ := proto.GetExtension(md.Options(), optionsv1.E_JsonArray).(bool)
	return is
}

func isChoice(md protoreflect.MessageDescriptor) bool {
	is, _ := proto.GetExtension(md.Options(), optionsv1.E_JsonChoice).(bool)
	return is
}

func descriptorOptions(fd protoreflect.FieldDescriptor) *descriptorpb.FieldOptions {
	options, _ := fd.Options().(*descriptorpb.FieldOptions)
	return options
}

func encoded(t *testing.T, o object) []byte {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func unmarshal(t *testing.T, m *catalog.Method, wire []byte) proto.Message {
	t.Helper()
	message := m.Response.New().Interface()
	if err := proto.Unmarshal(wire, message); err != nil {
		t.Fatal(err)
	}
	return message
}

// TestSecretsAreDelivered: whatever deviates beside a secret that came, alone or
// with all else, the secret arrives.
func TestSecretsAreDelivered(t *testing.T) {
	t.Parallel()
	creations := 0
	for _, m := range catalogtest.Gateway(t).Mirrored() {
		if !m.Secret {
			continue
		}
		creations++
		md := catalogtest.AnswerOf(m)
		answer := fitting(md, nil, 0)
		odd := maps.Clone(answer)
		for i := range md.Fields().Len() {
			fd := md.Fields().Get(i)
			if mapping := catalogtest.MappingOf(fd); !mapping.GetEssential() && !mapping.GetStrict() && !descriptorOptions(fd).GetDebugRedact() {
				odd[catalogtest.MemberOf(fd)] = misfit(fd, false)
			}
		}
		const secret = "sk-shown-once"
		if _, nested := odd["api_key"]; !nested {
			odd["value"] = secret
		} else {
			odd["api_key"] = object{"value": secret, "id": 7, "created_at": "yesterday", "name": []any{}, "object": nil}
		}
		got, err := m.Endpoint.Decode(encoded(t, odd))
		if err != nil || len(got.Omitted) < 4 {
			t.Errorf("%s: %v, left out are %q", m.ShortName(), err, got.Omitted)
			continue
		}
		if !strings.Contains(string(got.Wire), secret) {
			t.Errorf("%s: the secret is lost: %v", m.ShortName(), unmarshal(t, m, got.Wire))
		}
	}
	if creations < 3 {
		t.Errorf("%d creations with secrets", creations)
	}
}
