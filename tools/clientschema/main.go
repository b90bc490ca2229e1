// Command clientschema writes the schema that packages for clients are generated from:
// the image that `buf build` makes of proto/, without the rules of buf.validate.
//
// The gateway checks every request by these rules, so a client need not have them. With
// them each package would have to bring the types of buf.validate along, which in most
// languages a program can have only once, and which other packages bring along too.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/jhump/protoreflect/v2/protoprint"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

func main() {
	image := flag.String("image", "", "`file` that buf build wrote")
	out := flag.String("out", "", "`folder` for proto/ and descriptors.binpb")
	flag.Parse()
	if *image == "" || *out == "" || flag.NArg() != 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*image, *out); err != nil {
		fmt.Fprintln(os.Stderr, "clientschema:", err)
		os.Exit(1)
	}
}

func run(image, out string) error {
	data, err := os.ReadFile(image)
	if err != nil {
		return err
	}
	set, err := read(data)
	if err != nil {
		return fmt.Errorf("%s: %w", image, err)
	}
	if err := withoutRules(set); err != nil {
		return fmt.Errorf("%s: %w", image, err)
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		return fmt.Errorf("%s without its rules: %w", image, err)
	}
	var list []protoreflect.FileDescriptor
	for _, file := range set.GetFile() {
		if wellKnown(file.GetName()) {
			continue
		}
		found, err := files.FindFileByPath(file.GetName())
		if err != nil {
			return err
		}
		list = append(list, found)
	}
	if err := (&protoprint.Printer{}).PrintProtosToFileSystem(list, filepath.Join(out, "proto")); err != nil {
		return err
	}
	data, err = proto.MarshalOptions{Deterministic: true}.Marshal(set)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, "descriptors.binpb"), data, 0o644) //nolint:gosec // It is no secret.
}

// read decodes an image. Options are known by their types, which are in the image itself.
func read(data []byte) (*descriptorpb.FileDescriptorSet, error) {
	first := new(descriptorpb.FileDescriptorSet)
	if err := proto.Unmarshal(data, first); err != nil {
		return nil, err
	}
	files, err := protodesc.NewFiles(first)
	if err != nil {
		return nil, err
	}
	set := new(descriptorpb.FileDescriptorSet)
	return set, proto.UnmarshalOptions{Resolver: dynamicpb.NewTypes(files)}.Unmarshal(data, set)
}
