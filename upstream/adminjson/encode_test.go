package adminjson_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/admin-gateway/admin-gateway/upstream/adminjson"
)

// zeros is the JSON of an empty message All.
const zeros = `{"id":"","count":0,"on":false,"api-key.value":"","small":0,"unsigned":0,"large":0,"ratio":0,"wanted":[]}`

func TestAppendJSON(t *testing.T) {
	t.Parallel()
	mds := compileProto(t, testProto)
	for name, tc := range map[string]struct {
		message    protoreflect.Name
		text, json string
	}{
		"empty":         {"All", ``, zeros},
		"optional zero": {"Update", `id:"a" name:"" limit:0`, `{"id":"a","name":"","limit":0}`},
		"nothing set":   {"Child", ``, `{"id":""}`},
		"text":          {"Child", `id:"a\"\n\\é😀</"`, `{"id":"a\"\n\\é😀</"}`},
		"nested":        {"Page", `data:{id:"a" created_at:{seconds:5} color:COLOR_RED} data:{} has_more:true`, `{"data":[{"id":"a","name":"","created_at":5,"color":"red"},{"id":"","name":""}],"first_id":"","last_id":"","has_more":true}`},
		"json_array":    {"Names", `names:["a","b"]`, `["a","b"]`},
		"no json_array": {"Names", ``, `[]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := dynamicpb.NewMessage(mds.ByName(tc.message))
			if err := prototext.Unmarshal([]byte(tc.text), m); err != nil {
				t.Fatal(err)
			}
			got, err := compile(t, m.Descriptor()).AppendJSON([]byte("prefix"), m)
			if err != nil || string(got) != "prefix"+tc.json {
				t.Errorf("got %s, %v, want %s", got, err, tc.json)
			}
		})
	}
}

// TestAppendJSONMembers is about single members of All, beside its zeros.
func TestAppendJSONMembers(t *testing.T) {
	t.Parallel()
	md := compileProto(t, testProto).ByName("All")
	codec := compile(t, md)
	for text, want := range map[string]string{
		`cost:"1.2345678901234567890"`: `"cost":1.2345678901234567890`,
		`price:"-0"`:                   `"price":-0`,
		`prices:["1e400","0.06"]`:      `"prices":[1e400,0.06]`,
		`color:COLOR_BLUE`:             `"color":"light blue"`,
		`number:0`:                     `"number":0`,
		`list:{}`:                      `"list":[]`,
		`list:{names:"a"}`:             `"list":["a"]`,
		`created_at:{}`:                `"created_at":0`,
		`times:{seconds:-62135596800} times:{seconds:253402300799}`: `"times":[-62135596800,253402300799]`,
		`again:{}`:                         `"again":` + zeros,
		`ratios:[1e21,0.000001,1e-7,-0.5]`: `"ratios":[1e+21,0.000001,1e-07,-0.5]`,
		`any:{null_value:NULL_VALUE}`:      `"any":null`,
		`values:{values:{bool_value:true} values:{list_value:{}}}`:                                    `"values":[true,[]]`,
		`metadata:{fields:{key:"b" value:{number_value:2}} fields:{key:"a" value:{struct_value:{}}}}`: `"metadata":{"a":{},"b":2}`,
	} {
		m := dynamicpb.NewMessage(md)
		if err := prototext.Unmarshal([]byte(text), m); err != nil {
			t.Fatal(err)
		}
		got, err := codec.AppendJSON(nil, m)
		if err != nil || !strings.Contains(string(got), want) || len(got) != len(zeros)+len(",")+len(want) {
			t.Errorf("%s: got %s, %v, want the member %s", text, got, err, want)
		}
	}
}

func TestAppendJSONErrors(t *testing.T) {
	t.Parallel()
	md := compileProto(t, testProto).ByName("All")
	codec := compile(t, md)
	for text, path := range map[string]string{
		`shade:COLOR_UNSPECIFIED`:                               `shade`,
		`hues:[COLOR_RED,COLOR_UNSPECIFIED]`:                    `hues[1]`,
		`color:77`:                                              `color`,
		`created_at:{seconds:1 nanos:1}`:                        `created_at`,
		`times:{} times:{seconds:253402300800}`:                 `times[1]`,
		`again:{price:"sk-secret"}`:                             `again.price`,
		`cost:""`:                                               `cost`,
		`ratio:nan`:                                             `ratio`,
		`ratios:[0,-inf]`:                                       `ratios[1]`,
		`metadata:{fields:{key:"a" value:{}}}`:                  `metadata.a`,
		`values:{values:{number_value:inf}}`:                    `values[0]`,
		`any:{list_value:{values:{number_value:nan}}}`:          `any[0]`,
		strings.Repeat("again:{", 64) + strings.Repeat("}", 64): strings.Repeat(".again", 64)[1:],
	} {
		m := dynamicpb.NewMessage(md)
		if err := prototext.Unmarshal([]byte(text), m); err != nil {
			t.Fatal(err)
		}
		got, err := codec.AppendJSON([]byte("prefix"), m)
		fe, ok := errors.AsType[*adminjson.FieldError](err)
		if !ok || fe.Path != path || string(got) != "prefix" || strings.Contains(fe.Error(), "secret") {
			t.Errorf("%s: got %q, %v, want a FieldError at %s", text, got, err, path)
		}
	}
	for name, set := range map[protoreflect.Name]protoreflect.Value{
		"id":    protoreflect.ValueOfString("\xff"),
		"ratio": protoreflect.ValueOfFloat64(math.Inf(1)),
	} {
		m := dynamicpb.NewMessage(md)
		m.Set(md.Fields().ByName(name), set)
		if _, err := codec.AppendJSON(nil, m); err == nil {
			t.Errorf("%s that JSON cannot hold was written", name)
		}
	}
	if _, err := codec.AppendJSON(nil, dynamicpb.NewMessage(compileProto(t, testProto).ByName("Child"))); err == nil {
		t.Error("another message was written")
	}
}

func TestWithoutAndIn(t *testing.T) {
	t.Parallel()
	mds := compileProto(t, testProto)
	for name, tc := range map[string]struct {
		message    protoreflect.Name
		option     adminjson.Option
		text, json string
	}{
		"without":                  {"Item", adminjson.Without("id", "created_at"), `name:"a"`, `{"name":"a"}`},
		"without, at the top only": {"All", adminjson.Without("id", "count", "on", "renamed", "small", "unsigned", "large", "ratio", "wanted"), `again:{id:"a"}`, `{"again":` + strings.Replace(zeros, `""`, `"a"`, 1) + `}`},
		"in a message":             {"All", adminjson.In("child"), `child:{id:"a"}`, `{"id":"a"}`},
		"in no message":            {"All", adminjson.In("child"), ``, `null`},
		"in a list":                {"All", adminjson.In("names"), `names:["a"]`, `["a"]`},
		"in an empty list":         {"All", adminjson.In("names"), ``, `[]`},
		"in a json_array":          {"All", adminjson.In("list"), `list:{}`, `[]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			md := mds.ByName(tc.message)
			codec := compile(t, md, tc.option)
			m := dynamicpb.NewMessage(md)
			if err := prototext.Unmarshal([]byte(tc.text), m); err != nil {
				t.Fatal(err)
			}
			json, err := codec.AppendJSON(nil, m)
			if err != nil || string(json) != tc.json {
				t.Fatalf("got %s, %v, want %s", json, err, tc.json)
			}
			back := dynamicpb.NewMessage(md)
			if err := codec.Unmarshal(json, back); err != nil || !proto.Equal(m, back) {
				t.Errorf("read back as %v, %v", back, err)
			}
		})
	}
	// A field that is left out is not read either.
	codec, m := message(t, "Item", adminjson.Without("id"))
	if err := codec.Unmarshal([]byte(`{"id":"a"}`), m); err != nil || m.IsValid() && proto.Size(m) != 0 {
		t.Errorf("got %v, %v, want an empty message", m, err)
	}
}

func TestMask(t *testing.T) {
	t.Parallel()
	md := compileProto(t, testProto).ByName("Update")
	codec := compile(t, md, adminjson.Without("id"))
	for name, tc := range map[string]struct{ text, json, path string }{
		"no mask":          {`name:"a"`, `{"name":"a"}`, ``},
		"names some":       {`name:"a" tags:"b" update_mask:{paths:"tags"}`, `{"tags":["b"]}`, ``},
		"clears":           {`name:"a" update_mask:{paths:["limit","child"]}`, `{"limit":null,"kid":null}`, ``},
		"empties":          {`update_mask:{paths:"tags"}`, `{"tags":[]}`, ``},
		"names nothing":    {`name:"a" update_mask:{}`, `{}`, ``},
		"not set":          {`update_mask:{paths:"name"}`, ``, `name`},
		"no field":         {`name:"a" update_mask:{paths:["name","nope"]}`, ``, `update_mask.paths[1]`},
		"twice":            {`name:"a" update_mask:{paths:["name","name"]}`, ``, `update_mask.paths[1]`},
		"dotted":           {`child:{} update_mask:{paths:"child.id"}`, ``, `update_mask.paths[0]`},
		"by its JSON name": {`child:{} update_mask:{paths:"kid"}`, ``, `update_mask.paths[0]`},
		"left out":         {`id:"a" update_mask:{paths:"id"}`, ``, `update_mask.paths[0]`},
		"itself":           {`update_mask:{paths:"update_mask"}`, ``, `update_mask.paths[0]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := dynamicpb.NewMessage(md)
			if err := prototext.Unmarshal([]byte(tc.text), m); err != nil {
				t.Fatal(err)
			}
			got, err := codec.AppendJSON(nil, m)
			if tc.path == "" {
				if err != nil || string(got) != tc.json {
					t.Errorf("got %s, %v, want %s", got, err, tc.json)
				}
				return
			}
			if fe, ok := errors.AsType[*adminjson.FieldError](err); !ok || fe.Path != tc.path {
				t.Errorf("got %s, %v, want a FieldError at %s", got, err, tc.path)
			}
		})
	}
}
