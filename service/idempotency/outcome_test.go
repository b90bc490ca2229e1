package idempotency

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"pgregory.net/rapid"

	"github.com/admin-gateway/admin-gateway/cache/outcome"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// TestOutcomesComeBack: an answer byte by byte, and an error with all that its
// caller got and nothing else.
func TestOutcomesComeBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := storedOutcome{requestID: rapid.String().Draw(t, "id"), json: rapid.SliceOf(rapid.Byte()).Draw(t, "json")}
		if rapid.Bool().Draw(t, "failed") {
			want.json, want.err = nil, &rpcerror.Error{
				Code: connect.Code(rapid.IntRange(1, 16).Draw(t, "code")), Reason: "REASON", Message: rapid.String().Draw(t, "message"),
				Metadata: map[string]string{"a": rapid.String().Draw(t, "metadata")}, Cause: errors.New("the cause"), RetryAfter: 7,
				Violations: []*errdetails.BadRequest_FieldViolation{{Field: "f", Description: "d"}},
			}
		}
		encoded := encodeOutcome(want)
		got, ok := decodeOutcome(encoded)
		if !ok || got.requestID != want.requestID || !bytes.Equal(got.json, want.json) || (got.err == nil) != (want.err == nil) {
			t.Fatalf("%+v became %+v, %t", want, got, ok)
		}
		if want.err == nil {
			return
		}
		before, _ := errors.AsType[*connect.Error](want.err)
		after, _ := errors.AsType[*connect.Error](got.err)
		if after.Code() != before.Code() || after.Message() != before.Message() || cmp.Diff(before.Details(), after.Details()) != "" {
			t.Fatalf("%v became %v", before, after)
		}
		if bytes.Contains(encoded, []byte("the cause")) || errors.Unwrap(after) != nil {
			t.Fatal("the cause is stored")
		}
	})
}

// TestOtherOutcomesAreNotRead: bytes that this build cannot read are not an
// answer.
func TestOtherOutcomesAreNotRead(t *testing.T) {
	t.Parallel()
	answer := encodeOutcome(storedOutcome{json: []byte("{}"), requestID: "up_1"})
	failure := encodeOutcome(storedOutcome{err: &upstream.Error{Kind: upstream.OutcomeUnknown, Reason: upstream.ReasonOutcomeUnknown}})
	for name, b := range map[string][]byte{
		"nothing": nil, "a version alone": {outcomeVersion}, "no length": {outcomeVersion, outcomeAnswer},
		"another version": append([]byte{outcomeVersion + 1}, answer[1:]...), "another kind": append([]byte{outcomeVersion, 'X'}, answer[2:]...),
		"an id cut short": answer[:5], "a length of nothing": {outcomeVersion, outcomeAnswer, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
		"an error cut short": failure[:len(failure)-3], "an error that is none": {outcomeVersion, outcomeError, 0},
	} {
		if o, ok := decodeOutcome(b); ok {
			t.Errorf("%s is read as %+v", name, o)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		_, _ = decodeOutcome(append([]byte{outcomeVersion}, rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")...))
	})
}

// TestErrorsThatCannotBeEncoded keep their code.
func TestErrorsThatCannotBeEncoded(t *testing.T) {
	t.Parallel()
	e := &rpcerror.Error{Code: connect.CodeUnknown, Message: "no \xff UTF-8" + strings.Repeat("x", 10)}
	got, ok := decodeOutcome(encodeOutcome(storedOutcome{err: e}))
	if !ok || connect.CodeOf(got.err) != connect.CodeUnknown {
		t.Errorf("%v, %t", got.err, ok)
	}
}

// TestFingerprints: any part of a request makes another one, and parts do not run
// into each other.
func TestFingerprints(t *testing.T) {
	t.Parallel()
	seen := map[outcome.Fingerprint]string{}
	for _, parts := range [][6]string{
		{"org", "procedure", "POST", "/path", "query", "body"},
		{"orgp", "rocedure", "POST", "/path", "query", "body"}, {"org", "procedureP", "OST", "/path", "query", "body"},
		{"org", "procedure", "POST/", "path", "query", "body"}, {"org", "procedure", "POST", "/pathquery", "", "body"},
		{"org", "procedure", "POST", "/path", "queryb", "ody"}, {"org", "procedure", "POST", "/path", "querybody", ""},
		{"", "procedure", "POST", "/path", "query", "body"}, {"org", "", "POST", "/path", "query", "body"}, {"org", "procedure", "", "/path", "query", "body"},
		{"org", "procedure", "POST", "", "query", "body"}, {"org", "procedure", "POST", "/path", "", "body"}, {"org", "procedure", "POST", "/path", "query", ""},
	} {
		f := fingerprintOf(parts[0], parts[1], &upstream.Request{Verb: parts[2], Path: parts[3], Query: parts[4], Body: []byte(parts[5])})
		if other, ok := seen[f]; ok {
			t.Errorf("%q is %s", parts, other)
		}
		seen[f] = strings.Join(parts[:], "|")
	}
}
