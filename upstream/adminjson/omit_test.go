package adminjson_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/admin-gateway/admin-gateway/upstream/adminjson"
)

// TestOmitted has answers with values that do not fit: all else arrives, and the path
// of what does not is named.
func TestOmitted(t *testing.T) {
	t.Parallel()
	md := compileProto(t, testProto).ByName("All")
	codec := compile(t, md)
	for name, tc := range map[string]struct {
		json, text string
		omitted    []string
	}{
		"nothing":             {`{"id":"a","count":"1.0","created_at":"7","price":"1","ratio":"0.5"}`, `id:"a" count:1 created_at:{seconds:7} price:"1" ratio:0.5`, nil},
		"a leaf":              {`{"id":7,"note":"n"}`, `note:"n"`, []string{"id"}},
		"objects and arrays":  {`{"id":{"a":[1]},"on":[{}],"count":{},"color":[],"note":"n"}`, `note:"n"`, []string{"id", "on", "count", "color"}},
		"numbers":             {`{"count":5.5,"maybe":"x","small":2147483648,"ratio":1e999,"large":-1,"on":true}`, `on:true`, []string{"count", "maybe", "small", "ratio", "large"}},
		"times":               {`{"created_at":"2024-03-26","times":[1,253402300800,"2"]}`, `times:{seconds:1} times:{seconds:2}`, []string{"created_at", "times[]"}},
		"no list":             {`{"names":"a","list":{},"id":"i"}`, `id:"i"`, []string{"names", "list"}},
		"elements":            {`{"names":["a",1,"b",[]],"numbers":[1,"x",2],"list":["a",{}]}`, `names:["a","b"] numbers:[1,2] list:{names:"a"}`, []string{"names[]", "numbers[]", "list[]"}},
		"no element is left":  {`{"numbers":["x"],"flags":[0]}`, ``, []string{"numbers[]", "flags[]"}},
		"in an object":        {`{"child":{"id":1,"size":2,"tags":[3,"t"]}}`, `child:{size:2 tags:"t"}`, []string{"child.id", "child.tags[]"}},
		"in elements":         {`{"children":[{"id":1},7,{"id":2,"size":3}]}`, `children:{} children:{size:3}`, []string{"children[].id", "children[]"}},
		"no object":           {`{"child":"x","again":{"child":[]}}`, `again:{}`, []string{"child", "again.child"}},
		"in a struct":         {`{"metadata":{"a":[1,1e999]},"values":{},"id":"i"}`, `id:"i"`, []string{"metadata", "values"}},
		"of a oneof":          {`{"text":"a","number":"x"}`, `text:"a"`, []string{"number"}},
		"renamed":             {`{"api-key.value":1}`, ``, []string{"api-key.value"}},
		"the last of two":     {`{"id":"a","id":1,"names":["a"],"names":[1]}`, ``, []string{"id", "names[]"}},
		"the first of two":    {`{"id":1,"id":"a"}`, `id:"a"`, []string{"id"}},
		"an unknown enum":     {`{"color":"x","hues":["x",1]}`, `hues:COLOR_UNSPECIFIED`, []string{"hues[]"}},
		"deep, but not read":  {`{"id":` + strings.Repeat("[", 99) + strings.Repeat("]", 99) + `}`, ``, []string{"id"}},
		"brackets in a value": {`{"count":"}]\"","id":"i"}`, `id:"i"`, []string{"count"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, got := dynamicpb.NewMessage(md), dynamicpb.NewMessage(md)
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
			if string(answer.JSON) != tc.json {
				t.Errorf("the JSON is now %s", answer.JSON)
			}
		})
	}
}

func TestOmittedIsBounded(t *testing.T) {
	t.Parallel()
	codec, _ := message(t, "All")
	answer, err := codec.Answer([]byte(`{"id":1,"note":1,"count":[],"maybe":[],"on":1,"really":1,"color":1,"shade":1,"created_at":[],"names":1,"numbers":1,
		"hues":1,"children":1,"child":1,"text":1,"number":[],"object":1,"metadata":1}`))
	if n := len(answer.Omitted); err != nil || n != 17 || answer.Omitted[n-1] != "..." {
		t.Errorf("got %q, %v; want 16 paths and a sign that there are more", answer.Omitted, err)
	}
	answer, err = codec.Answer([]byte(strings.Repeat(`{"again":`, 60) + `{"id":1}` + strings.Repeat(`}`, 60)))
	if err != nil || len(answer.Omitted) != 1 || len(answer.Omitted[0]) != 200 || !strings.HasSuffix(answer.Omitted[0], "...") {
		t.Errorf("got %q, %v; want one path, cut", answer.Omitted, err)
	}
	within := compile(t, compileProto(t, testProto).ByName("All"), adminjson.In("names"))
	if answer, err = within.Answer([]byte(`["a",1]`)); err != nil || !slices.Equal(answer.Omitted, []string{"names[]"}) {
		t.Errorf("got %q, %v", answer.Omitted, err)
	}
}

// TestRefused has answers that are none, and answers in which a value does not fit that
// is never left out.
func TestRefused(t *testing.T) {
	t.Parallel()
	md := compileProto(t, testProto).ByName("Answer")
	codec := compile(t, md)
	if _, err := codec.Answer([]byte(`{"id":"","data":[],"other":{"the key":"k","size":"x"},"has_more":null,"color":"x"}`)); err != nil {
		t.Errorf("an answer is refused: %v", err)
	}
	for json, path := range map[string]string{
		`{}`:                     `id`,
		`{"error":{"code":""}}`:  `id`,
		`{"id":"a"}`:             `data`,
		`{"id":null,"data":[]}`:  `id`,
		`{"id":1,"data":[]}`:     `id`,
		`{"id":"a","data":{}}`:   `data`,
		`{"id":"a","data":null}`: `data`,
		`{"id":"a","data":[1]}`:  `data[0]`,
		`{"id":"a","data":[{"the key":"k"},null]}`:                  `data[1]`,
		`{"id":"a","data":[{}]}`:                                    `data[0].the key`,
		`{"id":"a","data":[{"the key":2}]}`:                         `data[0].the key`,
		`{"id":"a","id":null,"data":[]}`:                            `id`,
		`{"id":"a","data":[],"has_more":"x"}`:                       `has_more`,
		`{"id":"a","data":[],"value":1}`:                            `value`,
		`{"id":"a","data":[],"amount":"x"}`:                         `amount`,
		`{"id":"a","data":[],"other":{}}`:                           `other.the key`,
		`{"id":"a","data":[],"others":[{"the key":"k"},{}]}`:        `others[1].the key`,
		`{"id":"a","data":[],"list":[{"the key":[]}]}`:              `list[0].the key`,
		`{"id":"a","data":[],"tags":["t",1]}`:                       `tags[1]`,
		`{"id":"a","data":[{"the key":"k","again":{"id":"b"}}]}`:    `data[0].again.data`,
		`{"id":"a","data":[],"other":{"the key":"k","again":{}}}`:   `other.again.id`,
		`{"id":"a","data":[],"others":[{"size":1,"the key":null}]}`: `others[0].the key`,
		`{"id":"a","data":[],"other":{"size":{},"the key":true}}`:   `other.the key`,
		`{"id":"a","has_more":"x"}`:                                 `has_more`,
	} {
		_, err := codec.Answer([]byte(json))
		te, ok := errors.AsType[*adminjson.TypeError](err)
		if !ok || te.Path != path {
			t.Errorf("%s: got %v, want a TypeError at %q", json, err, path)
		}
	}
	// A request is no answer: what it needs, its rules say.
	if err := codec.UnmarshalStrict([]byte(`{}`), dynamicpb.NewMessage(md)); err != nil {
		t.Errorf("a request is refused: %v", err)
	}
}

func TestEssential(t *testing.T) {
	t.Parallel()
	mds := compileProto(t, testProto)
	for name, tc := range map[string]struct {
		codec *adminjson.Codec
		want  bool
	}{
		"the message":    {compile(t, mds.ByName("Answer")), true},
		"a member of it": {compile(t, mds.ByName("Answer"), adminjson.In("other")), true},
		"a list of them": {compile(t, mds.ByName("Answer"), adminjson.In("others")), false},
		"no message":     {compile(t, mds.ByName("Answer"), adminjson.In("id")), false},
		"none":           {compile(t, mds.ByName("All")), false},
	} {
		if got := tc.codec.Essential(); got != tc.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}

// TestRepaired reads what is not UTF-8, or has a byte order mark in front, as the
// vendor's SDKs do; in a request neither is accepted.
func TestRepaired(t *testing.T) {
	t.Parallel()
	codec, m := message(t, "All")
	for in, want := range map[string]struct{ json, id string }{
		"\uFEFF{\"id\": \"a\"}":                  {`{"id": "a"}`, "a"},
		`{"id":"a\ud800b","ratio":1.50}`:         {"{\"id\":\"a\uFFFDb\",\"ratio\":1.50}", "a\uFFFDb"},
		"{\"id\":\"\xff\xc3\",\"x\":1,\"x\":2}":  {"{\"id\":\"\uFFFD\uFFFD\",\"x\":1,\"x\":2}", "\uFFFD\uFFFD"},
		"\uFEFF{\"id\":\"\\udc00\"}":             {"{\"id\":\"\uFFFD\"}", "\uFFFD"},
		"{\"\xff\":1,\"id\":\"\\ud83d\\ude00\"}": {"{\"\uFFFD\":1,\"id\":\"😀\"}", "😀"},
	} {
		answer, err := codec.Answer([]byte(in))
		if err != nil || string(answer.JSON) != want.json || len(answer.Omitted) > 0 {
			t.Errorf("%q: got %q without %q, %v", in, answer.JSON, answer.Omitted, err)
			continue
		}
		if err := proto.Unmarshal(answer.Wire, m); err != nil || m.Get(m.Descriptor().Fields().ByName("id")).String() != want.id {
			t.Errorf("%q: got %v, %v", in, m, err)
		}
		if err := codec.UnmarshalStrict([]byte(in), m); !isSyntax(err) {
			t.Errorf("%q: a request with it: got %v, want a SyntaxError", in, err)
		}
	}
	if _, err := codec.Answer([]byte("\uFEFF\uFEFF{}")); !isSyntax(err) {
		t.Errorf("two byte order marks: got %v", err)
	}
}
