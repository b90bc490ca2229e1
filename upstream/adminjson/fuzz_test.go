package adminjson_test

import (
	"errors"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
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
	} {
		f.Add([]byte(seed))
	}
	md := compileProto(f, testProto).ByName("All")
	codec := compile(f, md)
	f.Fuzz(func(t *testing.T, json []byte) {
		wire, err := codec.AppendWire(nil, json)
		if !jsontext.Value(json).IsValid(jsontext.AllowDuplicateNames(true)) {
			if !isSyntax(err) {
				t.Fatalf("got %v, want a SyntaxError", err)
			}
			return
		}
		want := dynamicpb.NewMessage(md)
		refErr := reference(json, want)
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
		got := dynamicpb.NewMessage(md)
		if err := proto.Unmarshal(wire, got); err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(want, got) {
			t.Fatalf("-want +got:\n%s", cmp.Diff(want, got, protocmp.Transform()))
		}
		strict := dynamicpb.NewMessage(md)
		if err := codec.UnmarshalStrict(json, strict); err == nil && !proto.Equal(strict, got) {
			t.Fatalf("strictly it is\n%s", cmp.Diff(strict, got, protocmp.Transform()))
		}
	})
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
