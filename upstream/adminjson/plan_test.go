package adminjson_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/admin-gateway/admin-gateway/upstream/adminjson"

	_ "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
)

// union is a .proto of a message with a union and other fields.
func union(variants, others string) string {
	return `message A { string x = 1; } message M { oneof one { option (admingateway.options.v1.union) = {discriminator: "type"}; ` + variants + ` } ` + others + ` }`
}

// choice is a .proto of a message that stands for one of several types.
func choice(members, others string) string {
	return `message M { option (admingateway.options.v1.json_choice) = true; oneof one { ` + members + ` } ` + others + ` }`
}

func TestCompileErrors(t *testing.T) {
	t.Parallel()
	const head = `syntax = "proto3"; package bad;
		import "admingateway/options/v1/options.proto"; import "google/protobuf/field_mask.proto"; import "google/protobuf/duration.proto";`
	for body, names := range map[string]string{
		`message M { map<int64, string> m = 1; }`: "bad.M.m",
		`message M { map<string, bytes> m = 1; }`: "bad.M.MEntry.value",
		union(`A a = 1; string b = 2;`, ``):       "bad.M.b",
		union(`A a = 1;`, `string x = 2;`):        "bad.M.a",
		union(`A a = 1;`, `string type = 2;`):     "bad.M.one",
		union(`A a = 1; }  oneof two { option (admingateway.options.v1.union) = {discriminator: "kind"}; A c = 3;`, ``): "bad.M.two",
		union(`A a = 1; }  oneof two { option (admingateway.options.v1.union) = {}; A c = 3;`, ``):                      "bad.M.two",
		choice(`string a = 1; string b = 2;`, ``):                                                                       "bad.M.b",
		choice(`string a = 1; google.protobuf.Duration b = 2;`, ``):                                                     "bad.M.b",
		choice(`string a = 1;`, `string b = 2;`):                                                                        "bad.M",
		`message M { bytes b = 1; }`:                                                                                    "bad.M.b",
		`message M { float f = 1; }`:                                                                                    "bad.M.f",
		`message M { fixed64 f = 1; }`:                                                                                  "bad.M.f",
		`message M { google.protobuf.Duration d = 1; }`:                                                                 "bad.M.d",
		`message M { repeated google.protobuf.FieldMask f = 1; }`:                                                       "bad.M.f",
		`message M { google.protobuf.FieldMask f = 1; google.protobuf.FieldMask g = 2; }`:                               "bad.M.g",
		`message M { int64 i = 1 [(admingateway.options.v1.field).decimal = true]; }`:                                   "bad.M.i",
		`message M { string a = 1; string b = 2 [(admingateway.options.v1.field).name = "a"]; }`:                        "bad.M.b",
		`message M { option (admingateway.options.v1.json_array) = true; string a = 1; }`:                               "bad.M",
		`message M { option (admingateway.options.v1.json_array) = true; repeated string a = 1; string b = 2; }`:        "bad.M",
		`enum E { E_UNSPECIFIED = 0; E_ONE = 1; } message M { N n = 1; } message N { repeated E e = 1; }`:               "bad.N.e",
		`enum E { E_UNSPECIFIED = 0; E_ONE = 1 [(admingateway.options.v1.json_value) = "x"]; E_TWO = 2 [(admingateway.options.v1.json_value) = "x"]; } message M { E e = 1; }`: "bad.M.e",
	} {
		_, err := adminjson.Compile(compileProto(t, head+body).ByName("M"))
		if err == nil || !strings.Contains(err.Error(), names) {
			t.Errorf("%s: got %v, want an error that names %s", body, err, names)
		}
	}
	md := compileProto(t, testProto).ByName("Item")
	for _, opt := range []adminjson.Option{adminjson.Without("nope"), adminjson.In("nope")} {
		if _, err := adminjson.Compile(md, opt); err == nil || !strings.Contains(err.Error(), "nope") {
			t.Errorf("got %v, want an error that names the field", err)
		}
	}
}

// adminMessages returns every message of admingateway.admin.v1.
func adminMessages(tb testing.TB) (found []protoreflect.MessageDescriptor) {
	tb.Helper()
	var all func(protoreflect.MessageDescriptors)
	all = func(mds protoreflect.MessageDescriptors) {
		for i := range mds.Len() {
			found = append(found, mds.Get(i))
			all(mds.Get(i).Messages())
		}
	}
	protoregistry.GlobalFiles.RangeFilesByPackage("admingateway.admin.v1", func(fd protoreflect.FileDescriptor) bool {
		all(fd.Messages())
		return true
	})
	if len(found) < 100 {
		tb.Fatalf("admingateway.admin.v1 has only %d messages", len(found))
	}
	return found
}

func TestCompileAdmin(t *testing.T) {
	t.Parallel()
	for _, md := range adminMessages(t) {
		if _, err := adminjson.Compile(md); err != nil {
			t.Error(err)
		}
	}
}
