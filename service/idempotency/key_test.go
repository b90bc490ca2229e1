package idempotency_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/cache/outcome"
	"github.com/admin-gateway/admin-gateway/service/idempotency"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// TestOptionsAreRequired: without one of them, keys would not be bound to the
// upstream and its organization.
func TestOptionsAreRequired(t *testing.T) {
	t.Parallel()
	memory, err := outcome.NewMemory(outcome.MemoryOptions{MaxBytes: 32 << 20})
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]idempotency.Options{
		"no store": {Scope: "s", Org: func(context.Context) (string, error) { return "", nil }},
		"no scope": {Outcomes: memory, Org: func(context.Context) (string, error) { return "", nil }},
		"no org":   {Outcomes: memory, Scope: "s"},
	} {
		if _, err := idempotency.New(o); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// TestKeyOf: a key is text without spaces, or a quoted string.
func TestKeyOf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		values []string
		want   string
	}{
		{nil, ""},
		{[]string{"a"}, "a"},
		{[]string{"~!,;="}, "~!,;="},
		{[]string{strings.Repeat("x", 255)}, strings.Repeat("x", 255)},
		{[]string{`"k"`}, "k"},
		{[]string{`"a b"`}, "a b"},
		{[]string{`"a\"\\b"`}, `a"\b`},
	} {
		header := new(connect.Header)
		for _, value := range test.values {
			header.Add("Idempotency-Key", value)
		}
		if key, err := idempotency.KeyOf(header); err != nil || key != test.want {
			t.Errorf("%q: %q, %v", test.values, key, err)
		}
	}
	for _, values := range [][]string{{""}, {"a b"}, {"é"}, {strings.Repeat("x", 256)}, {"a", "a"}, {`"`}, {`"a`}, {`"a";x=1`}} {
		header := new(connect.Header)
		for _, value := range values {
			header.Add("Idempotency-Key", value)
		}
		key, err := idempotency.KeyOf(header)
		if refused, ok := errors.AsType[*rpcerror.Error](err); !ok || refused.Reason != rpcerror.ReasonIdempotencyKeyInvalid || key != "" {
			t.Errorf("%q: %q, %v", values, key, err)
		}
	}
}
