package upstream_test

import (
	"bytes"
	"context"
	"encoding"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/admin-gateway/admin-gateway/upstream"
)

// holder has a Secret where a configuration would have one, and where fmt calls
// no methods.
type holder struct {
	Key    upstream.Secret
	List   []upstream.Secret
	Named  map[string]upstream.Secret
	Any    any
	Point  *upstream.Secret
	hidden upstream.Secret
	inner  struct{ key *upstream.Secret }
}

func newHolder() holder {
	key := upstream.NewSecret(canary)
	h := holder{Key: key, List: []upstream.Secret{key}, Named: map[string]upstream.Secret{"key": key}, Any: key, Point: &key, hidden: key}
	h.inner.key = &key
	return h
}

func TestSecretIsNotFormatted(t *testing.T) {
	t.Parallel()
	key := upstream.NewSecret(canary)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%c", "%10.3s", "%-50v", "%z"} {
		if got := fmt.Sprintf(verb, key); got != "[redacted]" {
			t.Errorf("%s: got %s", verb, got)
		}
		for name, value := range map[string]any{"struct": newHolder(), "pointer": &[]holder{newHolder()}[0], "list": []any{newHolder()}} {
			if got := fmt.Sprintf(verb, value); showsKey(got) {
				t.Errorf("%s of a %s: got %s", verb, name, got)
			}
		}
	}
	for _, got := range []string{key.String(), key.GoString(), fmt.Sprint(key), fmt.Errorf("a %w", fmt.Errorf("%v", key)).Error()} {
		if !strings.Contains(got, "[redacted]") || showsKey(got) {
			t.Errorf("got %s", got)
		}
	}
	if got := (upstream.Secret{}).String(); got != "[redacted]" {
		t.Errorf("an empty one gives itself away: %s", got)
	}
}

// showsKey also finds a key that was written in hexadecimal.
func showsKey(text string) bool {
	return strings.Contains(text, "CANARY") || strings.Contains(strings.ToLower(text), fmt.Sprintf("%x", "CANARY"))
}

func TestSecretIsNotMarshalled(t *testing.T) {
	t.Parallel()
	key := upstream.NewSecret(canary)
	for name, marshal := range map[string]func(any) ([]byte, error){
		"json": json.Marshal,
		"text": func(v any) ([]byte, error) {
			if m, ok := v.(encoding.TextMarshaler); ok {
				return m.MarshalText()
			}
			return nil, errors.New("no TextMarshaler")
		},
		"xml": xml.Marshal,
	} {
		for _, value := range []any{key, &key} {
			if got, err := marshal(value); err != nil || !bytes.Contains(got, []byte("[redacted]")) || showsKey(string(got)) {
				t.Errorf("%s of a %T: %q (%v)", name, value, got, err)
			}
		}
	}
	var buffer bytes.Buffer
	if err := gob.NewEncoder(&buffer).Encode(&key); err == nil || showsKey(buffer.String()) {
		t.Errorf("gob: %q (%v)", buffer.Bytes(), err)
	}
	h := newHolder()
	got, err := json.Marshal(&h)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"Key":"[redacted]","List":["[redacted]"],"Named":{"key":"[redacted]"},"Any":"[redacted]","Point":"[redacted]"}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestSecretIsNotLogged(t *testing.T) {
	t.Parallel()
	h := newHolder()
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"text": func(b *bytes.Buffer) slog.Handler {
			return slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug})
		},
		"json": func(b *bytes.Buffer) slog.Handler {
			return slog.NewJSONHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug})
		},
	} {
		var buffer bytes.Buffer
		slog.New(handler(&buffer)).LogAttrs(context.Background(), slog.LevelInfo, "a key",
			slog.Any("key", h.Key), slog.Any("pointer", h.Point), slog.Any("list", h.List), slog.Any("map", h.Named),
			slog.Any("struct", h), slog.Group("group", slog.Any("struct", &h), slog.Any("inner", h.inner), slog.Any("hidden", h.hidden)))
		if got := buffer.String(); showsKey(got) || !strings.Contains(got, "[redacted]") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestSecretIsNotDumped: code that reads all fields and follows all pointers does not
// show it.
func TestSecretIsNotDumped(t *testing.T) {
	t.Parallel()
	var dumped strings.Builder
	h := newHolder()
	dump(&dumped, reflect.ValueOf(&h))
	if got := dumped.String(); showsKey(got) || !strings.Contains(got, "func") {
		t.Errorf("got %s", got)
	}
	// go-cmp does so in what tests print.
	type config struct{ Key upstream.Secret }
	diff := cmp.Diff(config{upstream.NewSecret(canary)}, config{upstream.NewSecret(canary + "2")})
	if diff == "" || showsKey(diff) {
		t.Errorf("got %s", diff)
	}
}

func dump(out *strings.Builder, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			dump(out, v.Field(i))
		}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			dump(out, v.Elem())
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			dump(out, v.Index(i))
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			dump(out, v.MapIndex(key))
		}
	default:
		fmt.Fprintf(out, "%s %v\n", v.Kind(), v)
	}
}

func TestSecretEqual(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		a, b upstream.Secret
		want bool
	}{
		{upstream.NewSecret(canary), upstream.NewSecret(canary), true},
		{upstream.NewSecret(canary), upstream.NewSecret(canary[:len(canary)-1]), false},
		{upstream.NewSecret(canary), upstream.NewSecret(canary + "\x00"), false},
		{upstream.NewSecret(canary), upstream.Secret{}, false},
		{upstream.NewSecret(""), upstream.Secret{}, true},
		{upstream.Secret{}, upstream.Secret{}, true},
	} {
		if test.a.Equal(test.b) != test.want || test.b.Equal(test.a) != test.want {
			t.Errorf("%d and %d bytes: want %t", len(test.a.Reveal()), len(test.b.Reveal()), test.want)
		}
	}
	if got := upstream.NewSecret(canary).Reveal(); got != canary {
		t.Error("Reveal does not give back the credential")
	}
}
