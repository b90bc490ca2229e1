package main

import (
	"errors"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// withoutRules takes out the options of buf.validate, the files that declare them, and
// those that only extend them.
func withoutRules(set *descriptorpb.FileDescriptorSet) error {
	gone := make(map[string]bool)
	for _, file := range set.GetFile() {
		if strings.HasPrefix(file.GetPackage(), "buf.validate") || onlyExtendsRules(file) {
			gone[file.GetName()] = true
		}
	}
	if len(gone) == 0 {
		return errors.New("it has no file of buf.validate")
	}
	set.File = slices.DeleteFunc(set.File, func(file *descriptorpb.FileDescriptorProto) bool { return gone[file.GetName()] })
	for _, file := range set.GetFile() {
		if err := dropImports(file, gone); err != nil {
			return err
		}
		strip(file.ProtoReflect())
	}
	return nil
}

// onlyExtendsRules says whether a file declares rules of our own, and nothing else.
func onlyExtendsRules(file *descriptorpb.FileDescriptorProto) bool {
	for _, extension := range file.GetExtension() {
		if !strings.HasPrefix(extension.GetExtendee(), ".buf.validate.") {
			return false
		}
	}
	return len(file.GetExtension()) > 0 && len(file.GetMessageType())+len(file.GetEnumType())+len(file.GetService()) == 0
}

func dropImports(file *descriptorpb.FileDescriptorProto, gone map[string]bool) error {
	if len(file.GetPublicDependency())+len(file.GetWeakDependency()) > 0 {
		return errors.New(file.GetName() + " has public imports, whose numbers this does not change")
	}
	file.Dependency = slices.DeleteFunc(file.Dependency, func(path string) bool { return gone[path] })
	return nil
}

// strip removes the extensions of buf.validate from a message and from all below it.
func strip(m protoreflect.Message) {
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.IsExtension() && strings.HasPrefix(string(field.FullName()), "buf.validate."):
			m.Clear(field)
		case field.Message() == nil || field.IsMap():
		case field.IsList():
			for i := range value.List().Len() {
				strip(value.List().Get(i).Message())
			}
		default:
			strip(value.Message())
		}
		return true
	})
}

// wellKnown says whether every compiler brings a file along.
func wellKnown(path string) bool { return strings.HasPrefix(path, "google/protobuf/") }
