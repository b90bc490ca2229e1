package adminjson_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/admin-gateway/admin-gateway/upstream/adminjson"
)

func TestUnmarshalStrict(t *testing.T) {
	t.Parallel()
	mds := compileProto(t, testProto)
	for name, tc := range map[string]struct {
		message    protoreflect.Name
		json, text string
	}{
		"plain":              {"All", `{"id":"a","count":5.0,"created_at":7,"price":"1.50","color":"red","names":[]}`, `id:"a" count:5 created_at:{seconds:7} price:"1.50" color:COLOR_RED`},
		"struct":             {"All", `{"metadata":{"a":null}}`, `metadata:{fields:{key:"a" value:{null_value:NULL_VALUE}}}`},
		"no null, no mask":   {"Update", `{"name":"a","limit":0}`, `name:"a" limit:0`},
		"null, hence mask":   {"Update", `{"name":"a","limit":null}`, `name:"a" update_mask:{paths:["name","limit"]}`},
		"mask by the .proto": {"Update", `{"kid":null}`, `update_mask:{paths:"child"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			md := mds.ByName(tc.message)
			want, got := dynamicpb.NewMessage(md), dynamicpb.NewMessage(md)
			if err := prototext.Unmarshal([]byte(tc.text), want); err != nil {
				t.Fatal(err)
			}
			if err := compile(t, md).UnmarshalStrict([]byte(tc.json), got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestUnmarshalStrictErrors(t *testing.T) {
	t.Parallel()
	codec, m := message(t, "All")
	for json, path := range map[string]string{
		`[]`:                            ``,
		`{"nope":"sk-secret"}`:          `nope`,
		`{"children":[{"nope":1}]}`:     `children[0].nope`,
		`{"color":"sk-secret"}`:         `color`,
		`{"id":"a","id":"b"}`:           `id`,
		`{"child":{"id":"a","id":"b"}}`: `child.id`,
		`{"metadata":{"a":1,"a":2}}`:    `metadata.a`,
		`{"id":1}`:                      `id`,
		`{"count":"5"}`:                 `count`,
		`{"count":5.5}`:                 `count`,
		`{"count":9223372036854775808}`: `count`,
		`{"created_at":1.5}`:            `created_at`,
		`{"id":null}`:                   `id`,
		`{"note":null}`:                 `note`,
		`{"names":null}`:                `names`,
		`{"names":["a",null]}`:          `names[1]`,
		`{"text":"a","number":1}`:       `number`,
		"{\"a\\u0000" + strings.Repeat("x", 99) + "\":1}": `a?` + strings.Repeat("x", 62),
	} {
		err := codec.UnmarshalStrict([]byte(json), m)
		fe, ok := errors.AsType[*adminjson.FieldError](err)
		if !ok || fe.Path != path || strings.Contains(fe.Error(), "secret") {
			t.Errorf("%s: got %v, want a FieldError at %s", json, err, path)
		}
	}
	if err := codec.UnmarshalStrict([]byte(`{"id":`), m); !isSyntax(err) {
		t.Errorf("got %v, want a SyntaxError", err)
	}
	// A field that the codec leaves out is refused.
	codec, m = message(t, "Update", adminjson.Without("id"))
	for _, json := range []string{`{"id":"a"}`, `{"update_mask":"name"}`} {
		if err := codec.UnmarshalStrict([]byte(json), m); err == nil {
			t.Errorf("%s was read", json)
		}
	}
}

func isSyntax(err error) bool {
	_, ok := errors.AsType[*adminjson.SyntaxError](err)
	return ok
}
