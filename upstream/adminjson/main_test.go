package adminjson_test

import (
	"testing"

	"github.com/bufbuild/protocompile"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/admin-gateway/admin-gateway/upstream/adminjson"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testProto has a field of every kind that has a mapping.
const testProto = `
syntax = "proto3";
package test;
import "admingateway/options/v1/options.proto";
import "google/api/field_behavior.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";

enum Color {
  COLOR_UNSPECIFIED = 0;
  COLOR_RED = 1 [(admingateway.options.v1.json_value) = "red"];
  COLOR_BLUE = -2 [(admingateway.options.v1.json_value) = "light blue"];
}

message All {
  string id = 1;
  optional string note = 2;
  int64 count = 3;
  optional int64 maybe = 4;
  bool on = 5;
  optional bool really = 6;
  Color color = 7;
  optional Color shade = 8;
  google.protobuf.Timestamp created_at = 9;
  string price = 10 [(admingateway.options.v1.field).decimal = true];
  optional string cost = 11 [(admingateway.options.v1.field).decimal = true];
  repeated string names = 12;
  repeated int64 numbers = 13;
  repeated Color hues = 14;
  repeated Child children = 15;
  Child child = 16;
  oneof choice {
    string text = 17;
    int64 number = 18;
    Child object = 19;
  }
  google.protobuf.Struct metadata = 20;
  google.protobuf.Value any = 21;
  google.protobuf.ListValue values = 22;
  Names list = 23;
  string renamed = 24 [(admingateway.options.v1.field).name = "api-key.value"];
  int32 small = 25;
  uint32 unsigned = 26;
  uint64 large = 27;
  double ratio = 28;
  repeated string wanted = 29 [(google.api.field_behavior) = REQUIRED];
  All again = 30;
  repeated double ratios = 31;
  repeated bool flags = 32;
  repeated google.protobuf.Timestamp times = 33;
  repeated string prices = 34 [(admingateway.options.v1.field).decimal = true];
}

message Child {
  string id = 1;
  optional int64 size = 2;
  repeated string tags = 3;
}

message Names {
  option (admingateway.options.v1.json_array) = true;
  repeated string names = 1;
}

message Update {
  string id = 1;
  optional string name = 2;
  optional int64 limit = 3 [(admingateway.options.v1.field).nullable = true];
  Child child = 4 [(admingateway.options.v1.field) = {name: "kid", nullable: true}];
  repeated string tags = 5;
  google.protobuf.FieldMask update_mask = 6;
}

// Answer is an answer with members that make it one, and with members of which none
// is left out.
message Answer {
  string id = 1 [(admingateway.options.v1.field).essential = true];
  repeated Element data = 2 [(admingateway.options.v1.field).essential = true];
  bool has_more = 3 [(admingateway.options.v1.field).strict = true];
  string value = 4 [debug_redact = true];
  string amount = 5 [(admingateway.options.v1.field).decimal = true];
  Element other = 6;
  repeated Element others = 7;
  repeated string tags = 8 [(admingateway.options.v1.field).strict = true];
  Elements list = 9;
  optional Color color = 10;
  oneof which {
    string type = 11;
    int64 number = 12;
  }
}

message Element {
  string key = 1 [(admingateway.options.v1.field) = {name: "the key", essential: true}];
  int64 size = 2;
  Answer again = 3;
}

message Elements {
  option (admingateway.options.v1.json_array) = true;
  repeated Element values = 1;
}

message Key {
  string id = 1;
  string redacted_value = 2;
  Key owner = 3;
  oneof kind {
    string type = 4;
  }
}

message NewKey {
  string id = 1;
  string redacted_value = 2;
  string value = 3 [debug_redact = true];
}

message Page {
  repeated Item data = 1;
  string first_id = 2;
  string last_id = 3;
  bool has_more = 4;
}

message Item {
  string id = 1;
  string name = 2;
  google.protobuf.Timestamp created_at = 3;
  Color color = 4;
}
`

// compileProto returns the messages of a .proto whose options are those of the
// generated Go.
func compileProto(tb testing.TB, source string) protoreflect.MessageDescriptors {
	tb.Helper()
	registry := protocompile.ResolverFunc(func(path string) (protocompile.SearchResult, error) {
		if path == "test.proto" {
			return (&protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(map[string]string{path: source})}).FindFileByPath(path)
		}
		fd, err := protoregistry.GlobalFiles.FindFileByPath(path)
		return protocompile.SearchResult{Desc: fd}, err
	})
	files, err := (&protocompile.Compiler{Resolver: registry}).Compile(tb.Context(), "test.proto")
	if err != nil {
		tb.Fatal(err)
	}
	// Once through the wire, so that options have the extensions' Go types.
	wire, err := proto.Marshal(protodesc.ToFileDescriptorProto(files[0]))
	if err != nil {
		tb.Fatal(err)
	}
	var fdp descriptorpb.FileDescriptorProto
	if err := proto.Unmarshal(wire, &fdp); err != nil {
		tb.Fatal(err)
	}
	fd, err := protodesc.NewFile(&fdp, protoregistry.GlobalFiles)
	if err != nil {
		tb.Fatal(err)
	}
	return fd.Messages()
}

func compile(tb testing.TB, md protoreflect.MessageDescriptor, opts ...adminjson.Option) *adminjson.Codec {
	tb.Helper()
	c, err := adminjson.Compile(md, opts...)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// message is a message of testProto with its codec.
func message(tb testing.TB, name protoreflect.Name, opts ...adminjson.Option) (*adminjson.Codec, *dynamicpb.Message) {
	tb.Helper()
	md := compileProto(tb, testProto).ByName(name)
	return compile(tb, md, opts...), dynamicpb.NewMessage(md)
}
