package adminjson_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/admin-gateway/admin-gateway/upstream/adminjson"
)

func TestUnmarshal(t *testing.T) {
	t.Parallel()
	md := compileProto(t, testProto).ByName("All")
	codec := compile(t, md)
	long := strings.Repeat("x", 300)
	for name, tc := range map[string]struct{ json, text string }{
		"empty":                  {`{}`, ``},
		"space":                  {" { \"id\" :\t\"a\" , \n\"on\" : true } \r\n", `id:"a" on:true`},
		"strings":                {`{"id":"a\n\u00e9\ud83d\ude00\"","note":""}`, `id:"a\né😀\"" note:""`},
		"zeros":                  {`{"id":"","count":0,"on":false,"maybe":0,"really":false}`, `maybe:0 really:false`},
		"optional null":          {`{"note":null,"maybe":null,"child":null,"names":null,"list":null,"created_at":null,"metadata":null}`, ``},
		"plain null":             {`{"id":null,"count":null,"names":["a",null,"b"]}`, `names:"a" names:"b"`},
		"out of order":           {`{"on":true,"id":"a","count":3}`, `on:true id:"a" count:3`},
		"integral floats":        {`{"count":5.0,"maybe":1e3,"numbers":[-1.50e1,"7",0.0e5,-0]}`, `count:5 maybe:1000 numbers:[-15,7,0,0]`},
		"int bounds":             {`{"count":9223372036854775807,"maybe":-9223372036854775808,"small":-2147483648,"unsigned":4294967295,"large":18446744073709551615}`, `count:9223372036854775807 maybe:-9223372036854775808 small:-2147483648 unsigned:4294967295 large:18446744073709551615`},
		"enum":                   {`{"color":"red","shade":"light blue","hues":["red","light blue"]}`, `color:COLOR_RED shade:COLOR_BLUE hues:[COLOR_RED,COLOR_BLUE]`},
		"escaped enum and name":  {`{"col\u006fr":"r\u0065d"}`, `color:COLOR_RED`},
		"unknown enum":           {`{"color":"mauve","shade":"mauve","hues":["red","mauve"]}`, `hues:[COLOR_RED,COLOR_UNSPECIFIED]`},
		"timestamp":              {`{"created_at":1711471533}`, `created_at:{seconds:1711471533}`},
		"timestamp zero":         {`{"created_at":0}`, `created_at:{}`},
		"timestamp exponent":     {`{"created_at":1.711471533e9}`, `created_at:{seconds:1711471533}`},
		"timestamp in a string":  {`{"created_at":"1711471533","times":["1e3"]}`, `created_at:{seconds:1711471533} times:{seconds:1000}`},
		"timestamp fraction":     {`{"created_at":1711471533.0625}`, `created_at:{seconds:1711471533 nanos:62500000}`},
		"timestamp before 1970":  {`{"created_at":-0.25,"times":[-1,-62135596800,253402300799]}`, `created_at:{seconds:-1 nanos:750000000} times:{seconds:-1} times:{seconds:-62135596800} times:{seconds:253402300799}`},
		"decimal":                {`{"price":0.06,"cost":"1.2345678901234567890","prices":[-0,1E+400,12]}`, `price:"0.06" cost:"1.2345678901234567890" prices:["-0","1E+400","12"]`},
		"messages":               {`{"child":{"id":"a","tags":["b"]},"children":[{"size":0},{}]}`, `child:{id:"a" tags:"b"} children:{size:0} children:{}`},
		"long messages":          {`{"children":[{"id":"` + long + `","tags":["` + long + `"]},{"id":"b"}]}`, `children:{id:"` + long + `" tags:"` + long + `"} children:{id:"b"}`},
		"recursion":              {`{"again":{"again":{"id":"a"}}}`, `again:{again:{id:"a"}}`},
		"oneof":                  {`{"number":0}`, `number:0`},
		"two of a oneof":         {`{"object":{"id":"a"},"text":""}`, `text:""`},
		"oneof and null":         {`{"text":"a","number":null,"object":null}`, `text:"a"`},
		"oneof thrice":           {`{"text":"a","number":1,"text":"b"}`, `text:"b"`},
		"oneof taken back":       {`{"text":"a","number":1,"text":null}`, `number:1`},
		"struct":                 {`{"metadata":{"a":[1,-2.5e3,null,true,false,"x\t"],"b":{"c":{}},"":[]}}`, `metadata:{fields:{key:"a" value:{list_value:{values:{number_value:1} values:{number_value:-2500} values:{null_value:NULL_VALUE} values:{bool_value:true} values:{bool_value:false} values:{string_value:"x\t"}}}} fields:{key:"b" value:{struct_value:{fields:{key:"c" value:{struct_value:{}}}}}} fields:{key:"" value:{list_value:{}}}}`},
		"values":                 {`{"any":null,"values":[{"a":1}]}`, `any:{null_value:NULL_VALUE} values:{values:{struct_value:{fields:{key:"a" value:{number_value:1}}}}}`},
		"json_array":             {`{"list":["a","b"]}`, `list:{names:["a","b"]}`},
		"empty json_array":       {`{"list":[]}`, `list:{}`},
		"renamed":                {`{"api-key.value":"a","renamed":"b"}`, `renamed:"a"`},
		"packed":                 {`{"ratios":[1,0.5],"flags":[true,false],"numbers":[]}`, `ratios:[1,0.5] flags:[true,false]`},
		"unknown members":        {`{"x":{"a":[{"b":"]}\""}],"c":-1.5e+3},"id":"a","y":[[],{}],"z":null,"w":true,"v":false,"u":"\\"}`, `id:"a"`},
		"duplicate scalar":       {`{"count":5,"count":0,"id":"a","id":null,"maybe":1,"maybe":2}`, `maybe:2`},
		"duplicate message":      {`{"child":{"id":"a","tags":["b"]},"child":{"size":1}}`, `child:{size:1}`},
		"duplicate list":         {`{"names":["a"],"id":"x","names":["b"],"names":["c","d"],"numbers":[1],"numbers":[]}`, `id:"x" names:["c","d"]`},
		"duplicate unknown enum": {`{"color":"red","color":"mauve"}`, ``},
		"duplicate in a struct":  {`{"metadata":{"a":1,"a":"b"}}`, `metadata:{fields:{key:"a" value:{string_value:"b"}}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, got := dynamicpb.NewMessage(md), dynamicpb.NewMessage(md)
			if err := prototext.Unmarshal([]byte(tc.text), want); err != nil {
				t.Fatal(err)
			}
			if err := codec.Unmarshal([]byte(tc.json), got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			wire, err := codec.AppendWire([]byte("prefix"), []byte(tc.json))
			if err != nil || !strings.HasPrefix(string(wire), "prefix") {
				t.Fatalf("AppendWire = %q, %v", wire, err)
			}
			appended := dynamicpb.NewMessage(md)
			if err := proto.Unmarshal(wire[len("prefix"):], appended); err != nil || !proto.Equal(appended, want) {
				t.Errorf("AppendWire after a prefix holds %v, %v; want %v", appended, err, want)
			}
		})
	}
}

func TestExactly(t *testing.T) {
	t.Parallel()
	md := compileProto(t, testProto).ByName("All")
	codec := compile(t, md).Exactly()
	deep := func(open, end string) string { return strings.Repeat(open, 65) + strings.Repeat(end, 65) }
	for name, tc := range map[string]struct{ json, path string }{
		"no object":           {`[]`, ``},
		"null":                {`null`, ``},
		"string":              {`{"id":7}`, `id`},
		"bool":                {`{"on":"true"}`, `on`},
		"enum":                {`{"hues":["red",1]}`, `hues[1]`},
		"fraction":            {`{"count":5.5}`, `count`},
		"fraction in string":  {`{"count":"5.5"}`, `count`},
		"no number in string": {`{"count":"5 "}`, `count`},
		"overflow":            {`{"count":9223372036854775808}`, `count`},
		"underflow":           {`{"count":-9223372036854775809}`, `count`},
		"exponent":            {`{"count":1e99999999999999999999}`, `count`},
		"int32":               {`{"small":2147483648}`, `small`},
		"negative unsigned":   {`{"large":-1}`, `large`},
		"double":              {`{"ratio":1e999}`, `ratio`},
		"timestamp string":    {`{"created_at":"2024-03-26T00:00:00Z"}`, `created_at`},
		"timestamp late":      {`{"created_at":253402300800}`, `created_at`},
		"timestamp early":     {`{"created_at":-62135596801}`, `created_at`},
		"timestamp earlier":   {`{"created_at":-62135596800.5}`, `created_at`},
		"decimal word":        {`{"price":"NaN"}`, `price`},
		"decimal empty":       {`{"price":""}`, `price`},
		"decimal octal":       {`{"price":"01"}`, `price`},
		"decimal bool":        {`{"price":true}`, `price`},
		"list":                {`{"names":"a"}`, `names`},
		"json_array":          {`{"list":{}}`, `list`},
		"nested":              {`{"children":[{},{"tags":["a",{}]}]}`, `children[1].tags[1]`},
		"struct":              {`{"metadata":[]}`, `metadata`},
		"struct number":       {`{"metadata":{"a":[1,1e999]}}`, `metadata.a[1]`},
		"depth":               {strings.Repeat(`{"again":`, 64) + `{}` + strings.Repeat(`}`, 64), strings.Repeat(".again", 64)[1:]},
		"struct depth":        {`{"values":` + deep("[", "]") + `}`, `values` + strings.Repeat("[0]", 63)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dst, err := codec.AppendWire([]byte("prefix"), []byte(tc.json))
			te, ok := errors.AsType[*adminjson.TypeError](err)
			if !ok || te.Path != tc.path {
				t.Errorf("got %v, want a TypeError at %q", err, tc.path)
			}
			if string(dst) != "prefix" {
				t.Errorf("got dst %q", dst)
			}
		})
	}
}

func TestSyntaxErrors(t *testing.T) {
	t.Parallel()
	codec, m := message(t, "All")
	for in, want := range map[string]struct {
		path      string
		truncated bool
	}{
		``:                                    {``, true},
		`{`:                                   {``, true},
		`{"id":"sk-secret`:                    {`id`, true},
		`{"children":[{"id":"sk-secret" x}]}`: {`children[0]`, false},
		`{} {}`:                               {``, false},
		`{"x":01}`:                            {``, false},
		`{"x":tru}`:                           {`x`, false},
	} {
		err := codec.Unmarshal([]byte(in), m)
		se, ok := errors.AsType[*adminjson.SyntaxError](err)
		if !ok || errors.Is(err, io.ErrUnexpectedEOF) != want.truncated {
			t.Errorf("%s: got %v, want a SyntaxError, truncated: %t", in, err, want.truncated)
			continue
		}
		if se.Path != want.path {
			t.Errorf("%s: at %q, want %q", in, se.Path, want.path)
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error repeats a value: %v", in, err)
		}
	}
}
