package main

import (
	"context"
	"fmt"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
)

// suitePackage is the proto package of the suite.
const suitePackage = "connectrpc.conformance.v1"

// schema is the part of the suite's protos that a server needs.
type schema struct {
	service protoreflect.ServiceDescriptor
	// request and response are the messages between the runner and a server.
	request, response protoreflect.MessageDescriptor
}

// load compiles the suite's protos and registers their types in the process, as
// generated code would: the JSON codecs look up the types of Any messages.
func load(ctx context.Context, folder string) (schema, error) {
	compiler := protocompile.Compiler{
		Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: []string{folder}}),
	}
	files, err := compiler.Compile(ctx, "connectrpc/conformance/v1/config.proto", "connectrpc/conformance/v1/service.proto", "connectrpc/conformance/v1/server_compat.proto")
	if err != nil {
		return schema{}, fmt.Errorf("compile the suite's protos in %s: %w", folder, err)
	}
	for _, file := range files {
		if err := protoregistry.GlobalFiles.RegisterFile(file); err != nil {
			return schema{}, err
		}
		if err := register(file.Messages()); err != nil {
			return schema{}, err
		}
	}
	s := schema{}
	if s.service, err = find[protoreflect.ServiceDescriptor]("ConformanceService"); err != nil {
		return schema{}, err
	}
	if s.request, err = find[protoreflect.MessageDescriptor]("ServerCompatRequest"); err != nil {
		return schema{}, err
	}
	if s.response, err = find[protoreflect.MessageDescriptor]("ServerCompatResponse"); err != nil {
		return schema{}, err
	}
	return s, nil
}

func register(messages protoreflect.MessageDescriptors) error {
	for i := range messages.Len() {
		if err := protoregistry.GlobalTypes.RegisterMessage(dynamicpb.NewMessageType(messages.Get(i))); err != nil {
			return err
		}
		if err := register(messages.Get(i).Messages()); err != nil {
			return err
		}
	}
	return nil
}

// find returns the declaration of that name in the suite's package.
func find[T protoreflect.Descriptor](name protoreflect.Name) (T, error) {
	var none T
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(suitePackage).Append(name))
	if err != nil {
		return none, fmt.Errorf("%s.%s: %w", suitePackage, name, err)
	}
	found, ok := d.(T)
	if !ok {
		return none, fmt.Errorf("%s is a %T", d.FullName(), d)
	}
	return found, nil
}

// message is a message of the suite, whose types exist at run time alone. A field that
// its type does not have is a panic.
type message struct{ protoreflect.Message }

func newMessage(d protoreflect.MessageDescriptor) message {
	return message{dynamicpb.NewMessage(d).ProtoReflect()}
}

func (m message) field(name protoreflect.Name) protoreflect.FieldDescriptor {
	return m.Descriptor().Fields().ByName(name)
}

func (m message) has(name protoreflect.Name) bool               { return m.Has(m.field(name)) }
func (m message) get(name protoreflect.Name) protoreflect.Value { return m.Get(m.field(name)) }
func (m message) set(name protoreflect.Name, value any) {
	m.Set(m.field(name), protoreflect.ValueOf(value))
}
func (m message) list(name protoreflect.Name) protoreflect.List { return m.get(name).List() }
func (m message) child(name protoreflect.Name) message          { return message{m.get(name).Message()} }
func (m message) newChild(name protoreflect.Name) message {
	return message{m.Mutable(m.field(name)).Message()}
}
func (m message) newElement(name protoreflect.Name) message {
	return message{m.Mutable(m.field(name)).List().AppendMutable().Message()}
}

// children are the elements of a repeated message field.
func (m message) children(name protoreflect.Name) []message {
	list := m.list(name)
	found := make([]message, list.Len())
	for i := range found {
		found[i] = message{list.Get(i).Message()}
	}
	return found
}
