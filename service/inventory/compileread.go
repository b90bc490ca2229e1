package inventory

import (
	"fmt"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/pages"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

// call compiles a read that takes fields of the RPC's request.
func (f *compiler) call(rpc, with string) (*read, error) {
	c, err := f.read(rpc, with)
	if err != nil {
		return nil, err
	}
	return c, f.take(c)
}

// read compiles the parts that every read has.
func (f *compiler) read(rpc, with string) (*read, error) {
	method, ok := f.catalog.Lookup("/" + rpc)
	if !ok || method.Source != catalog.Upstream {
		return nil, &DeclarationError{UnknownRPC, rpc}
	}
	if !method.Read || method.Secret {
		return nil, &DeclarationError{NoRead, rpc}
	}
	c := &read{method: method, base: method.Request.New().Interface()}
	if err := prototext.Unmarshal([]byte(with), c.base); err != nil {
		return nil, &DeclarationError{NoField, fmt.Sprintf("%s with %q", rpc, with)}
	}
	response := method.Response.Descriptor()
	if list, err := pages.ListOf(method.Request.Descriptor(), response); err == nil {
		c.list, c.items = &list, list.Items()
		if limit := method.Request.Descriptor().Fields().ByName("limit"); limit != nil {
			c.base.ProtoReflect().Set(limit, protoreflect.ValueOfInt32(mostOf(limit)))
		}
	} else if response.Fields().Len() == 1 && response.Fields().Get(0).Message() != nil && !response.Fields().Get(0).IsList() {
		c.items = response.Fields().Get(0)
	} else {
		return nil, &DeclarationError{NoList, rpc}
	}
	if field := method.Request.Descriptor().Fields().ByName(protoreflect.Name(method.Project)); field != nil && field.IsList() {
		c.scope = field
	}
	return c, nil
}

// mostOf is the largest page that the schema allows.
func mostOf(limit protoreflect.FieldDescriptor) int32 {
	rules, _ := proto.GetExtension(limit.Options(), validate.E_Field).(*validate.FieldRules)
	if rules.GetInt32().HasLte() {
		return rules.GetInt32().GetLte()
	}
	return widestPage
}

// take pairs the fields of the RPC's request with the fields of the read's
// request that have the same name.
func (f *compiler) take(c *read) error {
	for i := range f.request.Fields().Len() {
		from := f.request.Fields().Get(i)
		to := c.method.Request.Descriptor().Fields().ByName(from.Name())
		if to == nil || from.Name() == tokenField || f.plan.buckets.has(from.Name()) {
			continue
		}
		t, err := compileTaking(from, to)
		if err != nil {
			return err
		}
		c.takes = append(c.takes, t)
		f.taken[from.Name()] = true
	}
	return nil
}

// bind finds the fields for the names of the outer items, and wants every
// variable of the path to have one.
func (f *compiler) bind(c *read) error {
	bound := make(map[protoreflect.Name]bool)
	for level, outer := range f.plan.reads {
		to := c.method.Request.Descriptor().Fields().ByName(outer.as)
		if to == nil {
			continue
		}
		if to.Kind() != protoreflect.StringKind || to.IsList() {
			return &DeclarationError{WrongType, string(to.FullName())}
		}
		c.binds = append(c.binds, binding{to, level})
		bound[to.Name()] = true
	}
	for _, variable := range c.method.Endpoint.Variables() {
		if !bound[variable.Name()] {
			return &DeclarationError{Unbound, string(variable.FullName())}
		}
	}
	return nil
}
