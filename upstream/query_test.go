package upstream_test

import (
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/upstream"
)

func TestQuery(t *testing.T) {
	t.Parallel()
	type logs = adminv1.ListAuditLogsRequest
	at := func(seconds int64) *timestamppb.Timestamp { return &timestamppb.Timestamp{Seconds: seconds} }
	for _, test := range []struct {
		name string
		m    *logs
		want string
	}{
		{"nothing", &logs{}, ""},
		{"empty lists", &logs{ProjectIds: []string{}, EventTypes: nil}, ""},
		{"a list of nothing is something", &logs{ProjectIds: []string{""}}, "project_ids%5B%5D="},
		{"brackets", &logs{ProjectIds: []string{"b", "a"}}, "project_ids%5B%5D=b&project_ids%5B%5D=a"},
		{"brackets in a value", &logs{ActorIds: []string{"a[]=b"}}, "actor_ids%5B%5D=a%5B%5D%3Db"},
		{"zeros that are set", &logs{Limit: proto.Int32(0), TenantOnly: proto.Bool(false), After: proto.String("")}, "after=&limit=0&tenant_only=false"},
		{"numbers", &logs{Limit: proto.Int32(-2147483648), TenantOnly: proto.Bool(true)}, "limit=-2147483648&tenant_only=true"},
		{"separators", &logs{After: proto.String("a&b=c;d?e#f/g%h")}, "after=a%26b%3Dc%3Bd%3Fe%23f%2Fg%25h"},
		{"a plus and a space", &logs{ActorEmails: []string{"a+b@example.com", "a b"}}, "actor_emails%5B%5D=a%2Bb%40example.com&actor_emails%5B%5D=a%20b"},
		{"line breaks", &logs{After: proto.String("a\r\nX-Evil: 1\n\n")}, "after=a%0D%0AX-Evil%3A%201%0A%0A"},
		{"unicode", &logs{After: proto.String("é日\u202e\x00")}, "after=%C3%A9%E6%97%A5%E2%80%AE%00"},
		{"a range", &logs{EffectiveAt: &adminv1.AuditLogTimeRange{Lte: at(4), Lt: at(3), Gte: at(2), Gt: at(1)}}, "effective_at%5Bgt%5D=1&effective_at%5Bgte%5D=2&effective_at%5Blt%5D=3&effective_at%5Blte%5D=4"},
		{"a moment that is zero", &logs{EffectiveAt: &adminv1.AuditLogTimeRange{Gt: at(0)}}, "effective_at%5Bgt%5D=0"},
		{"the first and the last second", &logs{EffectiveAt: &adminv1.AuditLogTimeRange{Gt: at(-62135596800), Lt: at(253402300799)}}, "effective_at%5Bgt%5D=-62135596800&effective_at%5Blt%5D=253402300799"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := endpoint(t, "AuditLogService.ListAuditLogs")
			if got := request(t, e, test.m).Query; got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			// A message that was not generated is no different.
			wire, err := proto.Marshal(test.m)
			if err != nil {
				t.Fatal(err)
			}
			dynamic := dynamicpb.NewMessage(test.m.ProtoReflect().Descriptor())
			if err := proto.Unmarshal(wire, dynamic); err != nil {
				t.Fatal(err)
			}
			if got := request(t, e, dynamic).Query; got != test.want {
				t.Errorf("dynamic: got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// TestQueryKinds: kinds of parameters that no method of the API has today.
func TestQueryKinds(t *testing.T) {
	t.Parallel()
	number := func(k descriptorpb.FieldDescriptorProto_Type, label descriptorpb.FieldDescriptorProto_Label) func(*descriptorpb.FileDescriptorProto) {
		return func(file *descriptorpb.FileDescriptorProto) {
			file.MessageType[0].Field[3].Type, file.MessageType[0].Field[3].Label = &k, &label
		}
	}
	const (
		one  = descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL
		many = descriptorpb.FieldDescriptorProto_LABEL_REPEATED
	)
	text := func(v any) func(*testing.T, protoreflect.Message) {
		return func(_ *testing.T, m protoreflect.Message) {
			m.Set(m.Descriptor().Fields().ByName("number"), protoreflect.ValueOf(v))
		}
	}
	for _, test := range []struct {
		name   string
		change func(*descriptorpb.FileDescriptorProto)
		set    func(*testing.T, protoreflect.Message)
		want   string
	}{
		{"a plain zero", nil, text(int64(0)), "number=0"},
		{"int32", number(descriptorpb.FieldDescriptorProto_TYPE_SINT32, one), text(int32(-2147483648)), "number=-2147483648"},
		{"uint32", number(descriptorpb.FieldDescriptorProto_TYPE_FIXED32, one), text(uint32(4294967295)), "number=4294967295"},
		{"uint64", number(descriptorpb.FieldDescriptorProto_TYPE_UINT64, one), text(uint64(18446744073709551615)), "number=18446744073709551615"},
		{"bool", number(descriptorpb.FieldDescriptorProto_TYPE_BOOL, one), text(true), "number=true"},
		{"a list of numbers", number(descriptorpb.FieldDescriptorProto_TYPE_UINT64, many), func(_ *testing.T, m protoreflect.Message) {
			list := m.Mutable(m.Descriptor().Fields().ByName("number")).List()
			list.Append(protoreflect.ValueOfUint64(2))
			list.Append(protoreflect.ValueOfUint64(0))
		}, "number%5B%5D=2&number%5B%5D=0"},
		{"a list in a message", inner(many), func(_ *testing.T, m protoreflect.Message) {
			item := m.Mutable(m.Descriptor().Fields().ByName("number")).Message()
			list := item.Mutable(item.Descriptor().Fields().ByName("id")).List()
			list.Append(protoreflect.ValueOfString("a"))
			list.Append(protoreflect.ValueOfString("b"))
		}, "number%5Bid%5D%5B%5D=a&number%5Bid%5D%5B%5D=b"},
		{"a plain string in a message that is set", inner(one), func(_ *testing.T, m protoreflect.Message) {
			m.Mutable(m.Descriptor().Fields().ByName("number"))
		}, "number%5Bid%5D="},
		{"a message that is not set", inner(one), func(*testing.T, protoreflect.Message) {}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			md := method(t, get("/x/{id}"), test.change)
			e, err := upstream.Compile(md, nil)
			if err != nil {
				t.Fatal(err)
			}
			m := dynamicpb.NewMessage(md.Input())
			m.Set(md.Input().Fields().ByName("id"), protoreflect.ValueOfString("1"))
			test.set(t, m)
			if got := request(t, e, m).Query; got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// inner makes "number" an Item, whose "id" is one or many.
func inner(label descriptorpb.FieldDescriptorProto_Label) func(*descriptorpb.FileDescriptorProto) {
	return func(file *descriptorpb.FileDescriptorProto) {
		f := file.MessageType[0].Field[3]
		f.Type, f.TypeName = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum(), proto.String(".test.Item")
		file.MessageType[2].Field[0].Label = &label
	}
}

func TestQueryRefuses(t *testing.T) {
	t.Parallel()
	const many = descriptorpb.FieldDescriptorProto_LABEL_REPEATED
	for _, test := range []struct {
		name   string
		change func(*descriptorpb.FileDescriptorProto)
		want   string
	}{
		{"a list of messages", func(file *descriptorpb.FileDescriptorProto) {
			inner(descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL)(file)
			file.MessageType[0].Field[3].Label = many.Enum()
		}, "a repeated message cannot"},
		{"a map", func(file *descriptorpb.FileDescriptorProto) {
			text := descriptorpb.FieldDescriptorProto_TYPE_STRING
			in := file.MessageType[0]
			in.NestedType = []*descriptorpb.DescriptorProto{{
				Name: proto.String("NumberEntry"), Options: &descriptorpb.MessageOptions{MapEntry: proto.Bool(true)},
				Field: []*descriptorpb.FieldDescriptorProto{
					{Name: proto.String("key"), Number: proto.Int32(1), Type: &text, Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()},
					{Name: proto.String("value"), Number: proto.Int32(2), Type: &text, Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()},
				},
			}}
			f := in.Field[3]
			f.Type, f.TypeName, f.Label = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum(), proto.String(".test.In.NumberEntry"), many.Enum()
		}, "a map cannot"},
		{"a name that another has", func(file *descriptorpb.FileDescriptorProto) {
			options := &descriptorpb.FieldOptions{}
			proto.SetExtension(options, optionsv1.E_Field, &optionsv1.FieldMapping{Name: "maybe"})
			file.MessageType[0].Field[3].Options = options
		}, "the same query parameter"},
		{"an enum without spellings", func(file *descriptorpb.FileDescriptorProto) {
			file.EnumType = []*descriptorpb.EnumDescriptorProto{{Name: proto.String("E"), Value: []*descriptorpb.EnumValueDescriptorProto{
				{Name: proto.String("E_UNSPECIFIED"), Number: proto.Int32(0)}, {Name: proto.String("E_A"), Number: proto.Int32(1)},
			}}}
			f := file.MessageType[0].Field[3]
			f.Type, f.TypeName = descriptorpb.FieldDescriptorProto_TYPE_ENUM.Enum(), proto.String(".test.E")
		}, "test.E_A has no (admingateway.options.v1.json_value)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := upstream.Compile(method(t, get("/x/{id}"), test.change), nil)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "test.In.number") {
				t.Errorf("got %v, want the field and %q", err, test.want)
			}
		})
	}
}

// FuzzQuery: whatever the values are, they come out of the query as they went
// in, and nothing else does.
func FuzzQuery(f *testing.F) {
	for _, s := range []string{"", "a", "a b", "a+b", "a&limit=1", "a=b", "a;b", "%41", "%zz", "a\r\nb: c", "é\u202e", "\xff", "[]", "after", "\x00", "?#/"} {
		f.Add(s, "b", "c", int32(1), int64(2))
		f.Add("a", s, s, int32(-1), int64(253402300799))
	}
	e := endpoint(f, "AuditLogService.ListAuditLogs")
	f.Fuzz(func(t *testing.T, first, second, after string, limit int32, gt int64) {
		gt %= 62135596800
		m := &adminv1.ListAuditLogsRequest{
			ProjectIds: []string{first, second, first}, ActorEmails: []string{second}, After: &after, Limit: &limit,
			EffectiveAt: &adminv1.AuditLogTimeRange{Gt: &timestamppb.Timestamp{Seconds: gt}},
		}
		query := request(t, e, m).Query
		got, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		want := url.Values{
			"project_ids[]": {first, second, first}, "actor_emails[]": {second}, "after": {after},
			"limit": {strconv.FormatInt(int64(limit), 10)}, "effective_at[gt]": {strconv.FormatInt(gt, 10)},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
		if strings.ContainsFunc(query, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`+"'<>#?/\`, r) }) {
			t.Errorf("%q has more than a query may have", query)
		}
		if again := request(t, e, proto.Clone(m)).Query; again != query {
			t.Errorf("equal messages: %s and %s", query, again)
		}
	})
}
