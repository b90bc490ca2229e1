package adminjson_test

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/dynamicpb"
	"pgregory.net/rapid"

	"github.com/admin-gateway/admin-gateway/upstream/adminjson"
)

// FuzzDecode compares the codec with a decoder that is too simple to have the same
// faults.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{}`, `[]`, `null`, `{"id":"a\u00e9\ud83d\ude00","id":null}`, `{"count":5.0,"maybe":"1e3","numbers":[1,-2.0,null]}`,
		`{"color":"red","shade":"x","hues":["light blue","x"]}`, `{"created_at":-0.25,"times":[1e3]}`,
		`{"price":0.06,"cost":"-0","prices":[1E+400]}`, `{"text":"a","number":0,"object":{},"text":null}`,
		`{"child":{"tags":["a"]},"child":{"size":0},"children":[{},{"id":"b"}]}`, `{"names":["a"],"names":[],"list":[],"wanted":null}`,
		`{"metadata":{"a":[1,null,"\t",{"b":true}],"a":2},"any":null,"values":[[]]}`, `{"x":[{"y":"]}\""}],"on":true}`,
		`{"again":{"again":{"ratio":1e-7,"ratios":[0],"flags":[false]}},"api-key.value":"a"}`, `{"large":18446744073709551615,"small":-1,"unsigned":1}`,
		`{"id":1,"count":"x","numbers":[1,"x",2],"children":[7,{"size":"x","id":"b"}],"child":[],"names":{},"metadata":{"a":1e999},"text":1,"number":2}`,
		`{"id":"a","data":[{"the key":"b","size":{}}],"has_more":false,"others":[{"the key":"c"},4],"list":[{"the key":"d","size":"x"}],"type":[]}`,
		"\uFEFF{\"id\":\"\xff\\ud800\"}",
	} {
		f.Add([]byte(seed))
	}
	var decoders []decoderPair
	for _, name := range []protoreflect.Name{"All", "Answer"} {
		md := compileProto(f, testProto).ByName(name)
		decoders = append(decoders, decoderPair{compile(f, md), md})
	}
	f.Fuzz(func(t *testing.T, json []byte) {
		for _, d := range decoders {
			d.compare(t, json)
		}
	})
}

// decoderPair is the codec of a message and, by its descriptor, the reference.
type decoderPair struct {
	codec *adminjson.Codec
	md    protoreflect.MessageDescriptor
}

func (d decoderPair) compare(t *testing.T, json []byte) {
	t.Helper()
	answer, err := d.codec.Answer(json)
	if !stdjson.Valid(bytes.TrimPrefix(json, []byte("\uFEFF"))) {
		if !isSyntax(err) {
			t.Fatalf("got %v, want a SyntaxError", err)
		}
		return
	}
	want := dynamicpb.NewMessage(d.md)
	refErr := reference(bytes.TrimPrefix(json, []byte("\uFEFF")), want)
	if err != nil {
		if _, ok := errors.AsType[*adminjson.TypeError](err); !ok {
			t.Fatalf("got %v, want a TypeError", err)
		}
		if refErr == nil {
			t.Fatalf("got %v, the reference reads %v", err, want)
		}
		return
	}
	if refErr != nil {
		t.Fatalf("the reference says %v", refErr)
	}
	if !jsontext.Value(answer.JSON).IsValid(jsontext.AllowDuplicateNames(true)) {
		t.Fatalf("the JSON of the answer is not valid: %q", answer.JSON)
	}
	got := dynamicpb.NewMessage(d.md)
	if err := proto.Unmarshal(answer.Wire, got); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(want, got) {
		t.Fatalf("-want +got:\n%s", cmp.Diff(want, got, protocmp.Transform()))
	}
	if _, err := d.codec.Exactly().AppendWire(nil, json); (err != nil) != (len(answer.Omitted) > 0) {
		t.Fatalf("%q is left out, and read exactly the error is %v", answer.Omitted, err)
	}
	strict := dynamicpb.NewMessage(d.md)
	if err := d.codec.UnmarshalStrict(json, strict); err == nil && !proto.Equal(strict, got) {
		t.Fatalf("strictly it is\n%s", cmp.Diff(strict, got, protocmp.Transform()))
	}
}

// FuzzRoundTrip writes random messages and reads them back, leniently and
// strictly.
func FuzzRoundTrip(f *testing.F) {
	md := compileProto(f, testProto).ByName("All")
	check := roundTrip(compile(f, md), md)
	f.Add([]byte("\x01\x02\x03\x04\x05\x06\x07\x08 some bytes for rapid to draw from"))
	f.Fuzz(rapid.MakeFuzz(check))
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	md := compileProto(t, testProto).ByName("All")
	rapid.Check(t, roundTrip(compile(t, md), md))
}

// TestRoundTripAdmin does the same with the messages that there really are.
func TestRoundTripAdmin(t *testing.T) {
	t.Parallel()
	var checks []func(*rapid.T)
	for _, md := range adminMessages(t) {
		checks = append(checks, roundTrip(compile(t, md), md))
	}
	rapid.Check(t, func(t *rapid.T) {
		for _, check := range checks {
			check(t)
		}
	})
}
