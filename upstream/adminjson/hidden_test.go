package adminjson_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/upstream/adminjson"
)

// TestWhatIsRedactedIsNotShownBesides: a message that has a value in redacted form alone
// does not pass on the value itself, and an operation that hands the value out does.
func TestWhatIsRedactedIsNotShownBesides(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		message, json, want string
		counted             uint64
	}{
		{"Key", `{"id":"a","redacted_value":"k...1","value":"whole"}`, `{"id":"a","redacted_value":"k...1","value":"[redacted]"}`, 1},
		{"Key", `{"value" : "wh\"ole" ,"id":"a"}`, `{"value" : "[redacted]" ,"id":"a"}`, 1},
		{"Key", `{"\u0076alue":"whole"}`, `{"\u0076alue":"[redacted]"}`, 1},
		{"Key", `{"value":{"key":["whole"]},"id":"a"}`, `{"value":"[redacted]","id":"a"}`, 1},
		{"Key", `{"value":1,"owner":{"value":"2"},"value":"3"}`, `{"value":"[redacted]","owner":{"value":"[redacted]"},"value":"[redacted]"}`, 3},
		{"Key", `{"value":null}`, `{"value":null}`, 0},
		{"Key", `{"value":"[redacted]"}`, `{"value":"[redacted]"}`, 0},
		{"Key", `{"values":"a","redacted_values":"b"}`, `{"values":"a","redacted_values":"b"}`, 0},
		{"NewKey", `{"id":"a","redacted_value":"k...1","value":"whole"}`, `{"id":"a","redacted_value":"k...1","value":"whole"}`, 0},
	} {
		var drift adminjson.Drift
		codec, _ := message(t, protoreflect.Name(test.message), adminjson.WithDrift(&drift))
		answer, err := codec.Answer([]byte(test.json))
		if err != nil || string(answer.JSON) != test.want {
			t.Errorf("%s: got %s, %v, want %s", test.json, answer.JSON, err, test.want)
			continue
		}
		var counted uint64
		for _, e := range drift.Snapshot() {
			if e.Kind == adminjson.Unredacted {
				counted += e.Count
			}
		}
		if counted != test.counted {
			t.Errorf("%s: %d were counted, want %d", test.json, counted, test.counted)
		}
		again, err := codec.Answer(answer.JSON)
		if diff := cmp.Diff(answer, again); diff != "" || err != nil {
			t.Errorf("%s, read again: %v %s", test.json, err, diff)
		}
	}
}

// TestAnAnswerWithoutItsMessageIsMaskedToo: an answer that is passed on although it does
// not fit its message is masked all the same.
func TestAnAnswerWithoutItsMessageIsMaskedToo(t *testing.T) {
	t.Parallel()
	codec := compile(t, compileProto(t, `edition = "2023";
package test;
import "admingateway/options/v1/options.proto";
message Keys { repeated Key data = 1; bool has_more = 2 [(admingateway.options.v1.field).strict = true]; }
message Key { string id = 1; string redacted_value = 2; }
`).ByName("Keys"))
	answer, err := codec.Answer([]byte(`{"data":[{"id":"a","value":"whole"}],"has_more":"perhaps"}`))
	if want := `{"data":[{"id":"a","value":"[redacted]"}],"has_more":"perhaps"}`; err == nil || string(answer.JSON) != want {
		t.Errorf("got %s, %v, want %s and an error", answer.JSON, err, want)
	}
}
