package adminjson_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/admin-gateway/admin-gateway/upstream/adminjson"
)

// unionProto has unions, choices and maps.
const unionProto = `
syntax = "proto3";
package test;
import "admingateway/options/v1/options.proto";
import "google/api/field_behavior.proto";
import "google/protobuf/timestamp.proto";

message Key {
  string name = 1;
  oneof key {
    option (admingateway.options.v1.union) = {discriminator: "type"};
    Aws aws = 2;
    None none = 3;
  }
}
message Aws {
  string arn = 1;
  optional string region = 2;
  repeated string tags = 3;
}
message None {}

message Event {
  string type = 1;
  oneof payload {
    option (admingateway.options.v1.union) = {discriminator: "type" nested: true};
    Aws key_created = 2 [(admingateway.options.v1.field).name = "key.created"];
    Aws key_deleted = 3 [(admingateway.options.v1.field).name = "key.deleted"];
    None other = 4;
  }
}

enum Word {
  WORD_UNSPECIFIED = 0;
  WORD_ALL = 1 [(admingateway.options.v1.json_value) = "all"];
}
message Tiers {
  option (admingateway.options.v1.json_choice) = true;
  oneof tiers {
    Word word = 1;
    Names list = 2;
  }
}
message Names {
  option (admingateway.options.v1.json_array) = true;
  repeated string names = 1;
}
message Scalar {
  option (admingateway.options.v1.json_choice) = true;
  oneof value {
    string text = 1;
    bool truth = 2;
    int64 whole = 3;
    double number = 4;
  }
}
message Rule {
  Tiers tiers = 1;
  map<string, Scalar> matchers = 2;
  map<string, Scalar> required = 3 [(google.api.field_behavior) = REQUIRED];
  Discovery discovery = 4;
  google.protobuf.Timestamp expires_at = 5 [(admingateway.options.v1.field).ends = "seconds"];
  optional int64 seconds = 6;
  bool all = 7 [(admingateway.options.v1.field).consent = {to_empty: "tiers" permission: "a.b"}];
}
message Entries {
  map<string, Tiers> tiers = 1;
  map<string, Aws> keys = 2;
}
message Needed {
  oneof needed_or_not {
    option (admingateway.options.v1.union) = {discriminator: "type"};
    Id needed = 1;
    None not = 2;
  }
}
message Id {
  string id = 1 [(admingateway.options.v1.field).essential = true];
  int64 size = 2;
}
message Discovery {
  optional string url = 1 [(google.api.field_behavior) = REQUIRED, (admingateway.options.v1.field).nullable = true];
}
`

func unionMessage(tb testing.TB, name string) (*adminjson.Codec, *dynamicpb.Message) {
	tb.Helper()
	md := compileProto(tb, unionProto).ByName(protoreflect.Name(name))
	return compile(tb, md), dynamicpb.NewMessage(md)
}

// TestUnionsAndChoices: JSON, and the message that it is, both ways.
func TestUnionsAndChoices(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ message, json, text string }{
		{"Key", `{"name":"n","type":"aws","arn":"a"}`, `name: "n" aws {arn: "a"}`},
		{"Key", `{"name":"n","type":"aws","arn":"","region":"r","tags":["x","y"]}`, `name: "n" aws {region: "r" tags: ["x", "y"]}`},
		{"Key", `{"name":"n","type":"none"}`, `name: "n" none {}`},
		{"Event", `{"type":"key.created","key.created":{"arn":"a"}}`, `type: "key.created" key_created {arn: "a"}`},
		{"Rule", `{"tiers":"all","required":{}}`, `tiers {word: WORD_ALL}`},
		{"Rule", `{"tiers":[],"required":{}}`, `tiers {list {}}`},
		{"Rule", `{"tiers":["x"],"required":{}}`, `tiers {list {names: "x"}}`},
		{
			"Rule", `{"matchers":{"a":"7","b":7,"c":7.5,"d":false,"e":""},"required":{"k":-9223372036854775808}}`,
			`matchers {key: "a" value {text: "7"}} matchers {key: "b" value {whole: 7}} matchers {key: "c" value {number: 7.5}}
			 matchers {key: "d" value {truth: false}} matchers {key: "e" value {text: ""}} required {key: "k" value {whole: -9223372036854775808}}`,
		},
		{"Rule", `{"required":{},"discovery":{"url":null}}`, `discovery {}`},
		{"Rule", `{"required":{},"discovery":{"url":"u"},"seconds":3}`, `discovery {url: "u"} seconds: 3`},
	} {
		codec, want := unionMessage(t, test.message)
		if err := prototext.Unmarshal([]byte(test.text), want); err != nil {
			t.Fatal(err)
		}
		sent, err := codec.AppendJSON(nil, want)
		if err != nil || string(sent) != test.json {
			t.Errorf("%s is sent as %s, %v; want %s", test.text, sent, err, test.json)
		}
		for name, read := range map[string]func([]byte, proto.Message) error{"answer": codec.Unmarshal, "request": codec.UnmarshalStrict} {
			got := dynamicpb.NewMessage(want.Descriptor())
			if err := read([]byte(test.json), got); err != nil {
				t.Errorf("%s %s: %v", name, test.json, err)
			} else if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Errorf("%s %s (-want +got):\n%s", name, test.json, diff)
			}
		}
	}
}

// TestUnionsOfAnswers: what answers may have, and requests may not.
func TestUnionsOfAnswers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ message, json, text, request string }{
		// The discriminator may come last, and escaped; twice, the last counts.
		{"Key", `{"arn":"a","tags":["x"],"name":"n","t\u0079pe":"\u0061ws"}`, `name: "n" aws {arn: "a" tags: "x"}`, ""},
		{"Key", `{"type":"none","arn":"a","type":"aws"}`, `aws {arn: "a"}`, "type: must not occur twice"},
		{"Key", `{"type":"aws","arn":"a","arn":"b","tags":["x"],"tags":["y"]}`, `aws {arn: "b" tags: "y"}`, "arn: must not occur twice"},
		// A variant that this build does not know.
		{"Key", `{"type":"moon","name":"n","arn":"a"}`, `name: "n"`, "type: must be one of aws, none"},
		{"Key", `{"type":"none","name":"n","arn":"a"}`, `name: "n" none {}`, "arn: is unknown"},
		// Several payloads: the type chooses, wherever it stands.
		{"Event", `{"key.created":{"arn":"a"},"key.deleted":{"arn":"b"},"type":"key.created"}`, `type: "key.created" key_created {arn: "a"}`, "key.deleted: must not occur together with another of payload"},
		{"Event", `{"type":"key.deleted","key.created":{"arn":"a"},"key.deleted":{"arn":"b"},"other":{}}`, `type: "key.deleted" key_deleted {arn: "b"}`, "key.deleted: must not occur together with another of payload"},
		{"Event", `{"type":"key.deleted","key.deleted":{"arn":"b"},"other":{},"key.created":{"arn":"a"}}`, `type: "key.deleted" key_deleted {arn: "b"}`, "other: must not occur together with another of payload"},
		{"Event", `{"type":"new","key.created":{"arn":"a"},"other":{}}`, `type: "new" other {}`, "other: must not occur together with another of payload"},
		{"Rule", `{"tiers":"some"}`, ``, "tiers: has an unknown value"},
		{"Rule", `{"matchers":{"a":null,"b":1}}`, `matchers {key: "b" value {whole: 1}}`, "matchers.a: must not be null"},
		{"Rule", `{"matchers":{"a":1,"a":"x"}}`, `matchers {key: "a" value {text: "x"}}`, "matchers.a: must not occur twice"},
		{"Rule", `{"matchers":{"a":1e3,"b":1e300}}`, `matchers {key: "a" value {whole: 1000}} matchers {key: "b" value {number: 1e300}}`, "-"},
		{"Rule", `{"matchers":{}}`, ``, "matchers: must not be empty"},
		// What is never sent is unknown.
		{"Rule", `{"all":true,"expires_at":7}`, ``, "all: is unknown"},
	} {
		codec, want := unionMessage(t, test.message)
		if err := prototext.Unmarshal([]byte(test.text), want); err != nil {
			t.Fatal(err)
		}
		got := dynamicpb.NewMessage(want.Descriptor())
		if err := codec.Unmarshal([]byte(test.json), got); err != nil {
			t.Errorf("%s: %v", test.json, err)
		} else if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.json, diff)
		}
		err := codec.UnmarshalStrict([]byte(test.json), got)
		if test.request == "-" {
			if err != nil {
				t.Errorf("a request of %s: %v", test.json, err)
			}
			continue
		}
		if test.request != "" && (err == nil || err.Error() != "adminjson: "+test.request) {
			t.Errorf("a request of %s: %v, want %s", test.json, err, test.request)
		}
	}
}

// TestUnsendable: unions and choices without a member.
func TestUnsendable(t *testing.T) {
	t.Parallel()
	codec, m := unionMessage(t, "Rule")
	if err := protojson.Unmarshal([]byte(`{"matchers":{"a":{}}}`), m); err != nil {
		t.Fatal(err)
	}
	if _, err := codec.AppendJSON(nil, m); err == nil || err.Error() != "adminjson: matchers.a: must have a value" {
		t.Errorf("%v", err)
	}
	codec, m = unionMessage(t, "Key")
	if _, err := codec.AppendJSON(nil, m); err == nil || err.Error() != "adminjson: type: must be one of aws, none" {
		t.Errorf("a union without a variant: %v", err)
	}
	for _, json := range []string{`{}`, `{"type":7}`, `{"type":null}`, `{"type":"aws","type":1}`} {
		if err := codec.Unmarshal([]byte(json), dynamicpb.NewMessage(m.Descriptor())); err == nil {
			t.Errorf("%s is read", json)
		}
	}
}

// TestOmittedOfUnions: of unions, choices and maps too a value that does not fit loses
// itself alone; a discriminator is never left out.
func TestOmittedOfUnions(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		message, json, text string
		omitted             []string
	}{
		"of a variant":     {"Key", `{"name":7,"type":"aws","arn":"a","region":[],"tags":["t",1]}`, `aws:{arn:"a" tags:"t"}`, []string{"name", "region", "tags[]"}},
		"a payload":        {"Event", `{"type":"key.created","key.created":"x","key.deleted":{"arn":"a"}}`, `type:"key.created" key_deleted:{arn:"a"}`, []string{"key.created"}},
		"of a payload":     {"Event", `{"type":"key.created","key.created":{"arn":1,"region":"r"}}`, `type:"key.created" key_created:{region:"r"}`, []string{"key.created.arn"}},
		"a choice":         {"Rule", `{"tiers":7,"seconds":"1"}`, `seconds:1`, []string{"tiers"}},
		"of a choice":      {"Rule", `{"tiers":["a",7]}`, `tiers:{list:{names:"a"}}`, []string{"tiers[]"}},
		"a map":            {"Rule", `{"matchers":[],"seconds":1}`, `seconds:1`, []string{"matchers"}},
		"an entry":         {"Rule", `{"matchers":{"a":"x","b":[],"c":{"d":1},"e":1.5}}`, `matchers:{key:"a" value:{text:"x"}} matchers:{key:"e" value:{number:1.5}}`, []string{"matchers[]"}},
		"of a map's entry": {"Entries", `{"tiers":{"a":["x",1]}}`, `tiers:{key:"a" value:{list:{names:"x"}}}`, []string{"tiers[][]"}},
		"an entry's leaf":  {"Entries", `{"keys":{"a":{"arn":"x","region":7}}}`, `keys:{key:"a" value:{arn:"x"}}`, []string{"keys[].region"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			codec, got := unionMessage(t, tc.message)
			want := dynamicpb.NewMessage(got.Descriptor())
			if err := prototext.Unmarshal([]byte(tc.text), want); err != nil {
				t.Fatal(err)
			}
			answer, err := codec.Answer([]byte(tc.json))
			if err != nil {
				t.Fatal(err)
			}
			if err := proto.Unmarshal(answer.Wire, got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff(tc.omitted, answer.Omitted); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	for json, message := range map[string]string{
		`{"name":"n"}`:                      "Key",
		`{"type":7,"arn":"a"}`:              "Key",
		`{"type":7,"key.created":{}}`:       "Event",
		`{"type":"needed","size":1}`:        "Needed",
		`{"type":"needed","id":7,"size":1}`: "Needed",
	} {
		codec, _ := unionMessage(t, message)
		if _, err := codec.Answer([]byte(json)); err == nil {
			t.Errorf("%s: an answer", json)
		}
	}
}
