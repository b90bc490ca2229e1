package door_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"pgregory.net/rapid"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
	"github.com/admin-gateway/admin-gateway/service/door"
)

// lists are messages with so many elements each, by the field that they are in.
func lists(n int) map[string]proto.Message {
	texts := make([]string, n)
	kinds := make([]inventoryv1.UsageKind, n)
	projects := make([]*adminv1.InviteProject, n)
	for i := range n {
		texts[i], projects[i], kinds[i] = "\",[{", &adminv1.InviteProject{}, inventoryv1.UsageKind(i%2+1)
	}
	return map[string]proto.Message{
		"project_ids":     &inventoryv1.ListUsageRequest{ProjectIds: texts},
		"kinds":           &inventoryv1.ListUsageRequest{Kinds: kinds},
		"projects.values": &adminv1.CreateInviteRequest{Projects: &adminv1.InviteProjects{Values: projects}},
	}
}

// check checks a message in both forms.
func check(t *testing.T, m proto.Message) (wire, json error) {
	t.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return door.CheckWire(data, m.ProtoReflect().Descriptor()), door.CheckJSON(text)
}

func fieldOf(err error) string {
	if beyond, ok := errors.AsType[*door.ElementsError](err); ok {
		return beyond.Field
	}
	return fmt.Sprint(err)
}

// TestElementsAreCounted: a request of as many elements as may be passes, and one more is
// refused under the name of its field, whatever kind of list it is in.
func TestElementsAreCounted(t *testing.T) {
	t.Parallel()
	for field, most := range lists(door.MaxElements - 2) { // Beside them counts what they are in: a member, and a message.
		if wire, json := check(t, most); wire != nil || json != nil {
			t.Errorf("%s: %v, %v", field, wire, json)
		}
	}
	for field, more := range lists(door.MaxElements + 1) {
		if wire, json := check(t, more); fieldOf(wire) != field || !strings.HasPrefix(fieldOf(json), strings.Split(field, ".")[0]) {
			t.Errorf("%s: %v, %v", field, wire, json)
		}
	}
	large := strings.Repeat("x", door.MaxElementBytes+1)
	wire, json := check(t, &inventoryv1.ListUsageRequest{ProjectIds: []string{large}})
	if fieldOf(wire) != "project_ids" || fieldOf(json) != "project_ids" {
		t.Errorf("a large element: %v, %v", wire, json)
	}
	if wire, json := check(t, &inventoryv1.ListUsageRequest{ResumeToken: large}); wire != nil || json != nil {
		t.Errorf("a large text that is in no list: %v, %v", wire, json)
	}
}

// TestElementsAreCountedAtDepth: of messages within messages too, and these have a depth.
func TestElementsAreCountedAtDepth(t *testing.T) {
	t.Parallel()
	list := func(n int) *structpb.Value {
		values := make([]*structpb.Value, n)
		for i := range values {
			values[i] = structpb.NewBoolValue(true)
		}
		return structpb.NewListValue(&structpb.ListValue{Values: values})
	}
	many := &structpb.ListValue{}
	for range 200 {
		many.Values = append(many.Values, list(100))
	}
	if wire, json := check(t, many); fieldOf(wire) == "<nil>" || json == nil {
		t.Errorf("%v, %v", wire, json)
	}
	// The same message again and again, in place of a list: each is built.
	var repeated []byte
	for range door.MaxElements + 1 {
		repeated = protowire.AppendBytes(protowire.AppendTag(repeated, 2, protowire.BytesType), nil)
	}
	if err := door.CheckWire(repeated, (&inventoryv1.ListUsageRequest{}).ProtoReflect().Descriptor()); fieldOf(err) != "start_time" {
		t.Errorf("a message that is there again and again: %v", err)
	}
	deep := structpb.NewStringValue(strings.Repeat("x", door.MaxElements))
	for range 1000 {
		deep = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{deep}})
	}
	data, err := proto.Marshal(deep)
	if err != nil {
		t.Fatal(err)
	}
	if err := door.CheckWire(data, deep.ProtoReflect().Descriptor()); !strings.Contains(fmt.Sprint(err), "nested") {
		t.Errorf("a deep message: %v", err)
	}
}

// TestElementsOfBothForms: the two forms of a message are refused alike.
func TestElementsOfBothForms(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m := &inventoryv1.ListUsageRequest{}
		texts := []string{"a", ",", `"`, "[", "\\\","}
		for range rapid.IntRange(0, 2*door.MaxElements).Draw(rt, "ids") {
			m.ProjectIds = append(m.ProjectIds, texts[len(m.ProjectIds)%len(texts)])
		}
		for range rapid.IntRange(0, door.MaxElements).Draw(rt, "kinds") {
			m.Kinds = append(m.Kinds, inventoryv1.UsageKind(len(m.Kinds)%300)) // Of one byte and of two.
		}
		wire, json := check(t, m)
		if more := len(m.ProjectIds)+len(m.Kinds) > door.MaxElements; (wire != nil) != more {
			rt.Fatalf("%d and %d: %v", len(m.ProjectIds), len(m.Kinds), wire)
		}
		// In JSON a member that holds a list counts, too.
		if more := len(m.ProjectIds)+len(m.Kinds) > door.MaxElements-2; (json != nil) && !more || json == nil && wire != nil {
			rt.Fatalf("%d and %d: %v", len(m.ProjectIds), len(m.Kinds), json)
		}
	})
}

func FuzzElements(f *testing.F) {
	f.Add([]byte(`{"a": [1, {"b": [[]]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		long := append(text, make([]byte, door.MaxElements)...)
		for _, err := range []error{
			door.CheckJSON(text), door.CheckJSON(append(text, strings.Repeat(",", door.MaxElements+1)...)),
			door.CheckWire(long, (&structpb.Struct{}).ProtoReflect().Descriptor()), door.CheckWire(long, (&inventoryv1.ListUsageRequest{}).ProtoReflect().Descriptor()),
		} {
			if beyond, ok := errors.AsType[*door.ElementsError](err); err != nil && (!ok || len(beyond.Field) > 400) {
				t.Errorf("%v", err)
			}
		}
	})
}
