// Command protodeps writes the .proto files that ours import, as they are in
// the Go modules pinned beside it, into the folder given as its argument.
//
// No schema registry is needed for it, and buf compiles against the files that the
// generated code is linked with.
package main

import (
	"fmt"
	"os"
	"strings"

	_ "buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"github.com/jhump/protoreflect/v2/protoprint"
	_ "google.golang.org/genproto/googleapis/api/annotations"
	_ "google.golang.org/genproto/googleapis/rpc/errdetails"
	_ "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: protodeps FOLDER")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "protodeps:", err)
		os.Exit(1)
	}
}

func run(folder string) error {
	// The imports that a .proto of ours may have. Their own imports are collected too.
	wanted := []string{
		"buf/validate/validate.proto",
		"google/api/annotations.proto",
		"google/api/field_behavior.proto",
		"google/rpc/error_details.proto",
		"grpc/health/v1/health.proto",
	}
	files := make(map[string]protoreflect.FileDescriptor)
	for _, path := range wanted {
		file, err := protoregistry.GlobalFiles.FindFileByPath(path)
		if err != nil {
			return fmt.Errorf("%s is in none of the linked packages: %w", path, err)
		}
		collect(file, files)
	}
	list := make([]protoreflect.FileDescriptor, 0, len(files))
	for _, file := range files {
		list = append(list, file)
	}
	printer := protoprint.Printer{}
	if err := printer.PrintProtosToFileSystem(list, folder); err != nil {
		return fmt.Errorf("print into %s: %w", folder, err)
	}
	return nil
}

// collect adds file and its imports to files, without the well-known types,
// which every Protobuf compiler brings along.
func collect(file protoreflect.FileDescriptor, files map[string]protoreflect.FileDescriptor) {
	if strings.HasPrefix(file.Path(), "google/protobuf/") {
		return
	}
	files[file.Path()] = file
	for i := range file.Imports().Len() {
		collect(file.Imports().Get(i).FileDescriptor, files)
	}
}
