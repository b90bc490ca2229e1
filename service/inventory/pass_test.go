package inventory

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/pages"
)

// fill sets about half of the fields of a message, with values that are easily equal, so
// that cursors repeat and are absent now and then.
func fill(random *rand.Rand, m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		switch {
		case random.IntN(2) == 0 || field.IsMap() || field.Message() != nil && depth == 0:
		case field.IsList():
			for list := m.Mutable(field).List(); random.IntN(4) > 0; {
				list.Append(drawn(random, field, list.NewElement(), depth))
			}
		default:
			m.Set(field, drawn(random, field, m.NewField(field), depth))
		}
	}
}

func drawn(random *rand.Rand, field protoreflect.FieldDescriptor, fresh protoreflect.Value, depth int) protoreflect.Value {
	switch field.Kind() {
	case protoreflect.MessageKind:
		fill(random, fresh.Message(), depth-1)
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(strings.Repeat("x", random.IntN(3)*random.IntN(100)))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(random.IntN(2) == 0)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(random.IntN(3)))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(random.Int64())
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(random.Int32())
	default:
	}
	return fresh
}

// passing are the reads whose items are passed on, with the plans that they are of.
func passing(t *testing.T) map[*read]*plan {
	t.Helper()
	plans, err := Compile(catalogtest.Gateway(t))
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[*read]*plan)
	for _, p := range plans {
		if last := p.reads[len(p.reads)-1]; last.passes {
			found[last] = p
		}
	}
	return found
}

// TestPassedPages: a page whose items are passed on is the page that is decoded and
// encoded again, and the walk goes on from it in the same way.
func TestPassedPages(t *testing.T) {
	t.Parallel()
	reads := passing(t)
	if len(reads) < 8 {
		t.Fatalf("%d reads pass their items on", len(reads))
	}
	random := rand.New(rand.NewPCG(1, 2))
	followed := 0
	for r, p := range reads {
		at := position{keys: []string{"proj_1", "user_1"}[:len(p.reads)-1]}
		for range 100 {
			said := r.method.Response.New()
			fill(random, said, 5)
			wire, err := proto.Marshal(said.Interface())
			if err != nil {
				t.Fatal(err)
			}
			short, err := r.excerpt(wire)
			if err != nil {
				t.Fatal(err)
			}
			if n := short.message.Get(r.items).List().Len(); n > 1 {
				t.Fatalf("%d items of %s are decoded", n, r.method.Name())
			}
			wantNext, wantErr := r.list.Trail("", 2).Next(said)
			next, err := r.list.Trail("", 2).Next(short.message)
			wanted, _ := errors.AsType[*pages.EndlessError](wantErr)
			got, _ := errors.AsType[*pages.EndlessError](err)
			if next != wantNext || (wanted == nil) != (got == nil) || wanted != nil && *wanted != *got {
				t.Errorf("%s goes on at %q, %v, and not at %q, %v", r.method.Name(), next, err, wantNext, wantErr)
			}
			if next != "" {
				followed++
			}
			message, wantItems := p.message(r, at, said, nil)
			passed, items, err := p.passed(r, at, short)
			if err != nil {
				t.Fatal(err)
			}
			decoded := p.response.New().Interface()
			if err := proto.Unmarshal(passed, decoded); err != nil || items != wantItems || !proto.Equal(decoded, message) {
				t.Fatalf("%s: %d items %v, %v, and not %d items %v", r.method.Name(), items, decoded, err, wantItems, message)
			}
		}
	}
	if followed == 0 {
		t.Error("no page had another one behind it")
	}
}

// TestDamagedPageIsNotPassed: bytes that are no answer fail the read.
func TestDamagedPageIsNotPassed(t *testing.T) {
	t.Parallel()
	for r := range passing(t) {
		whole := r.method.Response.New()
		whole.Mutable(r.items).List().AppendMutable()
		wire, err := proto.Marshal(whole.Interface())
		if err != nil {
			t.Fatal(err)
		}
		for name, damaged := range map[string][]byte{
			"cut off":   append(wire, 0x0a, 5, 'x'),
			"no record": append(wire, 0xff),
			"an item":   append(wire, wire[0], 1, 0xff),
		} {
			if got, err := r.excerpt(damaged); err == nil {
				t.Errorf("%s of %s: %v", name, r.method.Name(), got.message)
			}
		}
	}
}
