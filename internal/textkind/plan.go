package textkind

import (
	"errors"
	"fmt"
	"strconv"

	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/internal/fieldmask"
)

// Plan knows the kind of every string of one type of request. It is immutable.
type Plan struct{ fields []planned }

// planned is a field with strings, in it or below it.
type planned struct {
	field      protoreflect.FieldDescriptor
	text, keys optionsv1.TextKind
	below      *Plan // of a message; nil otherwise
}

// Fault is a text that is none of its kind.
type Fault struct {
	// Path is where it is, such as "projects.values[0].id". It has no key of a map.
	Path string
	// Reason says what the text has to be, and does not repeat it.
	Reason string
}

// Compile plans the check of a type of message. The error names every string, at any
// depth, of no kind.
func Compile(message protoreflect.MessageDescriptor) (*Plan, error) {
	c := compiler{make(map[protoreflect.FullName]*Plan), nil}
	plan := c.plan(message)
	return plan, errors.Join(c.faults...)
}

type compiler struct {
	plans  map[protoreflect.FullName]*Plan
	faults []error
}

func (c *compiler) plan(message protoreflect.MessageDescriptor) *Plan {
	if plan := c.plans[message.FullName()]; plan != nil {
		return plan
	}
	plan := new(Plan)
	c.plans[message.FullName()] = plan
	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		if fieldmask.Is(field) {
			continue // Its texts are names of fields, and compared with them.
		}
		if p, ok := c.planned(field); ok {
			plan.fields = append(plan.fields, p)
		}
	}
	return plan
}

// planned is false for a field without strings.
func (c *compiler) planned(field protoreflect.FieldDescriptor) (planned, bool) {
	p := planned{field: field, text: Of(field)}
	value := field
	if field.IsMap() {
		value = field.MapValue()
		if field.MapKey().Kind() == protoreflect.StringKind {
			p.keys = ofKeys(field)
			c.want(field, "keys", p.keys)
		}
	}
	switch {
	case value.Kind() == protoreflect.StringKind:
		c.want(field, "text", p.text)
	case value.Message() == nil:
		return p, p.keys != optionsv1.TextKind_TEXT_KIND_UNSPECIFIED
	case isDynamic(value.Message()):
		if p.text != optionsv1.TextKind_TEXT_KIND_FREE {
			c.fault(field, "text", "that holds any value is TEXT_KIND_FREE")
		}
		return p, p.keys != optionsv1.TextKind_TEXT_KIND_UNSPECIFIED
	default:
		p.below = c.plan(value.Message())
	}
	return p, true
}

func (c *compiler) want(field protoreflect.FieldDescriptor, option string, kind optionsv1.TextKind) {
	if kind == optionsv1.TextKind_TEXT_KIND_UNSPECIFIED {
		c.fault(field, option, "says which kind of text it is, unless its name does")
	}
}

func (c *compiler) fault(field protoreflect.FieldDescriptor, option, rule string) {
	c.faults = append(c.faults, fmt.Errorf("field %s lacks (admingateway.options.v1.field).%s: text of a request %s", field.FullName(), option, rule))
}

// isDynamic says whether a message holds JSON of any shape.
func isDynamic(message protoreflect.MessageDescriptor) bool {
	switch message.FullName() {
	case "google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue":
		return true
	default:
		return false
	}
}

// Check finds the first text of a message that is none of its kind; nil for none.
func (p *Plan) Check(alphabets *Alphabets, message protoreflect.Message) *Fault {
	for i := range p.fields {
		f := &p.fields[i]
		if !message.Has(f.field) {
			continue
		}
		if fault := f.check(alphabets, message.Get(f.field)); fault != nil {
			fault.Path = string(f.field.Name()) + fault.Path
			return fault
		}
	}
	return nil
}

func (p *planned) check(alphabets *Alphabets, value protoreflect.Value) *Fault {
	switch {
	case p.field.IsMap():
		return p.entries(alphabets, value.Map())
	case p.field.IsList():
		list := value.List()
		for i := range list.Len() {
			if fault := p.one(alphabets, list.Get(i)); fault != nil {
				fault.Path = "[" + strconv.Itoa(i) + "]" + fault.Path
				return fault
			}
		}
		return nil
	default:
		return p.one(alphabets, value)
	}
}

func (p *planned) entries(alphabets *Alphabets, entries protoreflect.Map) (fault *Fault) {
	entries.Range(func(key protoreflect.MapKey, value protoreflect.Value) bool {
		if reason := alphabets.refuses(p.keys, key.String()); reason != "" {
			fault = &Fault{"[]", "a key " + reason}
		} else if fault = p.one(alphabets, value); fault != nil {
			fault.Path = "[]" + fault.Path
		}
		return fault == nil
	})
	return fault
}

// one checks a value of the field, an element of its list, or a value of its map.
func (p *planned) one(alphabets *Alphabets, value protoreflect.Value) *Fault {
	if p.below != nil {
		fault := p.below.Check(alphabets, value.Message())
		if fault != nil {
			fault.Path = "." + fault.Path
		}
		return fault
	}
	text, isText := value.Interface().(string)
	if !isText {
		return nil // A map from a text to a number.
	}
	if reason := alphabets.refuses(p.text, text); reason != "" {
		return &Fault{Reason: reason}
	}
	return nil
}
