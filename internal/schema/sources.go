package schema

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/linker"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	// Types of error details: no message has a field of them, but every error
	// that a client decodes does.
	_ "google.golang.org/genproto/googleapis/rpc/code"
	_ "google.golang.org/genproto/googleapis/rpc/errdetails"
	_ "google.golang.org/genproto/googleapis/rpc/status"

	// The health service, which is served and imported by nothing.
	_ "google.golang.org/grpc/health/grpc_health_v1"
)

// Schema is the gateway's wire schema: its files and all that they import. It is
// immutable and safe for concurrent use.
type Schema struct {
	// files are in an order in which every file comes after its imports.
	files []protoreflect.FileDescriptor
	// ours are the files that have a source, by path: the source, compiled.
	ours    map[string]linker.File
	sources fs.FS
	// comments are those of the sources, by the full name of what they describe.
	comments map[protoreflect.FullName]string
}

// served are files that no file of the gateway imports and that a client needs
// nevertheless.
func served() []string {
	return []string{
		"google/rpc/code.proto",
		"google/rpc/error_details.proto",
		"google/rpc/status.proto",
		"grpc/health/v1/health.proto",
	}
}

// New builds the schema of files, which are linked descriptors, and of all that
// they import. Sources holds the .proto files of the gateway by their import
// paths; an error says that one of files has none there, or that it does not
// compile. Imports without a source are printed from their descriptors.
func New(ctx context.Context, files []protoreflect.FileDescriptor, sources fs.FS) (*Schema, error) {
	s := &Schema{sources: sources, ours: make(map[string]linker.File), comments: make(map[protoreflect.FullName]string)}
	all := slices.Clone(files)
	for _, path := range served() {
		file, err := protoregistry.GlobalFiles.FindFileByPath(path)
		if err != nil {
			return nil, fmt.Errorf("schema: %s is not linked: %w", path, err)
		}
		all = append(all, file)
	}
	slices.SortFunc(all, func(a, b protoreflect.FileDescriptor) int { return cmp.Compare(a.Path(), b.Path()) })
	s.collect(all)
	for _, file := range files {
		if !s.hasSource(file.Path()) {
			return nil, fmt.Errorf("schema: %s has no source", file.Path())
		}
	}
	return s, s.compile(ctx)
}

// collect appends files after their imports.
func (s *Schema) collect(files []protoreflect.FileDescriptor) {
	seen := make(map[string]bool)
	var add func(protoreflect.FileDescriptor)
	add = func(file protoreflect.FileDescriptor) {
		if seen[file.Path()] {
			return
		}
		seen[file.Path()] = true
		for i := range file.Imports().Len() {
			add(file.Imports().Get(i).FileDescriptor)
		}
		s.files = append(s.files, file)
	}
	for _, file := range files {
		add(file)
	}
}

// hasSource tells whether a file is one of the gateway's.
func (s *Schema) hasSource(path string) bool {
	_, err := fs.Stat(s.sources, path)
	return err == nil
}

// compile reads the sources for their comments and positions. What a file means
// is taken from its linked descriptor.
func (s *Schema) compile(ctx context.Context) error {
	var paths []string
	linked := make(map[string]protoreflect.FileDescriptor, len(s.files))
	for _, file := range s.files {
		linked[file.Path()] = file
		if s.hasSource(file.Path()) {
			paths = append(paths, file.Path())
		}
	}
	compiler := protocompile.Compiler{
		SourceInfoMode: protocompile.SourceInfoStandard,
		Resolver: protocompile.ResolverFunc(func(path string) (protocompile.SearchResult, error) {
			source, err := s.sources.Open(path)
			if err == nil {
				return protocompile.SearchResult{Source: source}, nil
			}
			if file := linked[path]; file != nil && errors.Is(err, fs.ErrNotExist) {
				return protocompile.SearchResult{Desc: file}, nil
			}
			return protocompile.SearchResult{}, fmt.Errorf("import %s: %w", path, err)
		}),
	}
	compiled, err := compiler.Compile(ctx, paths...)
	if err != nil {
		return fmt.Errorf("schema: compile the sources: %w", err)
	}
	for _, file := range compiled {
		s.ours[file.Path()] = file
		s.remember(file)
	}
	return nil
}

// remember takes the comments of a compiled file.
func (s *Schema) remember(file protoreflect.FileDescriptor) {
	for i := range file.Services().Len() {
		service := file.Services().Get(i)
		s.comment(service)
		for j := range service.Methods().Len() {
			s.comment(service.Methods().Get(j))
		}
	}
	s.rememberTypes(file)
}

// types is what holds messages and enums: a file or a message.
type types interface {
	Messages() protoreflect.MessageDescriptors
	Enums() protoreflect.EnumDescriptors
}

func (s *Schema) rememberTypes(in types) {
	for i := range in.Enums().Len() {
		enum := in.Enums().Get(i)
		s.comment(enum)
		for j := range enum.Values().Len() {
			s.comment(enum.Values().Get(j))
		}
	}
	for i := range in.Messages().Len() {
		message := in.Messages().Get(i)
		s.comment(message)
		for j := range message.Fields().Len() {
			s.comment(message.Fields().Get(j))
		}
		s.rememberTypes(message)
	}
}

func (s *Schema) comment(d protoreflect.Descriptor) {
	text := d.ParentFile().SourceLocations().ByDescriptor(d).LeadingComments
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimPrefix(line, " ")
	}
	if text = unwrap(lines); text != "" {
		s.comments[d.FullName()] = text
	}
}

// unwrap joins the lines of a paragraph: where a source breaks its lines says
// nothing. Indented lines and lists stay as they are.
func unwrap(lines []string) string {
	var b strings.Builder
	for i, line := range lines {
		if i > 0 {
			if joins(lines[i-1]) && joins(line) {
				b.WriteByte(' ')
			} else {
				b.WriteByte('\n')
			}
		}
		b.WriteString(line)
	}
	return b.String()
}

func joins(line string) bool {
	return line != "" && !strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "-") && !strings.HasPrefix(line, "*")
}

// Descriptors returns all files with their imports, each after what it imports.
// The gateway's files have source information: comments and positions.
func (s *Schema) Descriptors() *descriptorpb.FileDescriptorSet {
	set := &descriptorpb.FileDescriptorSet{File: make([]*descriptorpb.FileDescriptorProto, 0, len(s.files))}
	for _, file := range s.files {
		described := protodesc.ToFileDescriptorProto(file)
		if ours, ok := s.ours[file.Path()].(linker.Result); ok {
			described.SourceCodeInfo = ours.FileDescriptorProto().GetSourceCodeInfo()
		}
		set.File = append(set.File, described)
	}
	return set
}
