package inventory

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

const (
	// tokenField is the request's field with a resume token.
	tokenField = protoreflect.Name("resume_token")
	// widestPage is how many items to ask for where the upstream states no most.
	widestPage = 100
)

// compiler compiles one declaration.
type compiler struct {
	catalog *catalog.Catalog
	plan    *plan
	request protoreflect.MessageDescriptor
	// taken are the fields of the request that have a use.
	taken map[protoreflect.Name]bool
	// members are those of the response's oneof that hold items, and filled the
	// fields of their messages that something fills.
	members []protoreflect.FieldDescriptor
	filled  map[protoreflect.FullName]bool
}

// Plans are the compiled declarations, by method.
type Plans map[*catalog.Method]*plan

// Compile compiles the declarations of all methods of a catalog whose source is
// catalog.FanOut. It wants the reads to be there, to fit into each other, and to
// fit the messages of the RPC. The error holds every fault, each a
// [*DeclarationError] with the name of its RPC.
func Compile(methods *catalog.Catalog) (Plans, error) {
	plans := make(Plans)
	var faults []error
	for _, m := range methods.Methods() {
		if m.Source != catalog.FanOut {
			continue
		}
		p, err := compile(methods, m)
		if err != nil {
			faults = append(faults, fmt.Errorf("rpc %s: %w", m.Descriptor.FullName(), err))
			continue
		}
		plans[m] = p
	}
	return plans, errors.Join(faults...)
}

func compile(methods *catalog.Catalog, m *catalog.Method) (*plan, error) {
	declared := m.Reads
	f := &compiler{
		catalog: methods, plan: &plan{rpc: m, response: m.Response}, request: m.Request.Descriptor(),
		taken: map[protoreflect.Name]bool{tokenField: true}, filled: make(map[protoreflect.FullName]bool),
	}
	if err := f.shape(); err != nil {
		return nil, err
	}
	if name := declared.GetView(); name != "" {
		view, ok := itemViews()[name]
		if !ok {
			return nil, &DeclarationError{NoView, name}
		}
		f.plan.view = &view
		for _, field := range view.fields {
			f.taken[field] = true
		}
	}
	var err error
	if declared.GetBuckets() != nil {
		err = f.bucketCalls(declared.GetBuckets())
	} else {
		err = f.nestedCalls(declared.GetCalls())
	}
	if err != nil {
		return nil, err
	}
	if err := f.gathering(declared.GetGather()); err != nil {
		return nil, err
	}
	return f.plan, f.leftovers()
}

// shape checks the RPC's messages, and finds the fields that each of them
// needs.
func (f *compiler) shape() error {
	wrong := func(what string) error { return &DeclarationError{Shape, what} }
	p, response := f.plan, f.plan.response.Descriptor()
	if !p.rpc.Read || !p.rpc.Descriptor.IsStreamingServer() {
		return wrong("it is not a read that streams")
	}
	if p.token = f.request.Fields().ByName(tokenField); p.token == nil || p.token.Kind() != protoreflect.StringKind || p.token.IsList() {
		return wrong(fmt.Sprintf("%s has no string %s", f.request.Name(), tokenField))
	}
	if response.Oneofs().Len() != 1 || response.Oneofs().Get(0).Fields().Len() != response.Fields().Len() {
		return wrong(fmt.Sprintf("%s is not a oneof", response.Name()))
	}
	for i := range response.Fields().Len() {
		field := response.Fields().Get(i)
		switch {
		case field.Message() == nil:
			return wrong(fmt.Sprintf("%s is not a message", field.FullName()))
		case field.Message().FullName() == fullName(&inventoryv1.Progress{}):
			p.progress = field
		case field.Message().FullName() == fullName(&inventoryv1.Failure{}):
			p.failure = field
		case field.Message().FullName() == fullName(&inventoryv1.End{}):
			p.end = field
		default:
			f.members = append(f.members, field)
		}
	}
	if p.progress == nil || p.failure == nil || p.end == nil {
		return wrong(fmt.Sprintf("%s lacks progress, failure or end", response.Name()))
	}
	return nil
}

func fullName(m proto.Message) protoreflect.FullName { return m.ProtoReflect().Descriptor().FullName() }

// nestedCalls compiles nested reads.
func (f *compiler) nestedCalls(declared []*optionsv1.FanOutCall) error {
	if len(declared) == 0 {
		return &DeclarationError{Shape, "it has no reads"}
	}
	for i, d := range declared {
		call, err := f.call(d.GetRpc(), d.GetWith())
		if err != nil {
			return err
		}
		last := i == len(declared)-1
		switch {
		case call.list == nil && !last, call.list == nil && i == 0:
			return &DeclarationError{NoList, d.GetRpc()}
		case d.GetMayBeAbsent() && call.list != nil:
			return &DeclarationError{Shape, d.GetRpc() + " is a list and may be absent"}
		case last != (d.GetKey() == "") || last != (d.GetAs() == ""):
			return &DeclarationError{Shape, d.GetRpc() + ": each read but the last has key and as"}
		case d.GetGiven() != "" && (i > 0 || last):
			return &DeclarationError{Shape, d.GetRpc() + ": only the outermost of several can be given"}
		}
		call.mayBeAbsent = d.GetMayBeAbsent()
		if !last {
			if err := f.name(call, d); err != nil {
				return err
			}
		}
		if err := f.bind(call); err != nil {
			return err
		}
		if err := f.place(call, last); err != nil {
			return err
		}
		// Of items that are not the last the names are needed, and a view converts others.
		call.passes = last && call.list != nil && f.plan.view == nil
		f.plan.reads = append(f.plan.reads, call)
	}
	return nil
}

// name takes over how the items of a list are named.
func (f *compiler) name(c *read, d *optionsv1.FanOutCall) error {
	key := c.itemType().Fields().ByName(protoreflect.Name(d.GetKey()))
	switch {
	case key == nil:
		return &DeclarationError{NoField, fmt.Sprintf("%s.%s", c.itemType().FullName(), d.GetKey())}
	case key.Kind() != protoreflect.StringKind || key.IsList():
		return &DeclarationError{WrongType, string(key.FullName())}
	}
	c.key, c.as = key, protoreflect.Name(d.GetAs())
	failure := (&inventoryv1.Failure{}).ProtoReflect().Descriptor()
	if field := failure.Fields().ByName(c.as); field == nil || field.Kind() != protoreflect.StringKind {
		return &DeclarationError{NoField, fmt.Sprintf("%s.%s", failure.FullName(), c.as)}
	}
	if d.GetGiven() == "" {
		return nil
	}
	given := f.request.Fields().ByName(protoreflect.Name(d.GetGiven()))
	switch {
	case given == nil:
		return &DeclarationError{NoField, fmt.Sprintf("%s.%s", f.request.FullName(), d.GetGiven())}
	case given.Kind() != protoreflect.StringKind || !given.IsList():
		return &DeclarationError{WrongType, string(given.FullName())}
	}
	f.plan.given, f.taken[given.Name()] = given, true
	return nil
}

// leftovers wants every field to have a use.
func (f *compiler) leftovers() error {
	for i := range f.request.Fields().Len() {
		if field := f.request.Fields().Get(i); !f.taken[field.Name()] && !f.plan.buckets.has(field.Name()) {
			return &DeclarationError{Untaken, string(field.FullName())}
		}
	}
	for _, member := range f.members {
		fields := member.Message().Fields()
		for i := range fields.Len() {
			if field := fields.Get(i); !f.filled[field.FullName()] {
				return &DeclarationError{Unfilled, string(field.FullName())}
			}
		}
	}
	return nil
}
