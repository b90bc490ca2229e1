package schema

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"google.golang.org/protobuf/proto"
)

// Names below the folder that [Schema.Write] is given.
const (
	// ProtoFolder holds the .proto files by their import paths.
	ProtoFolder = "proto"
	// DescriptorFile is a google.protobuf.FileDescriptorSet.
	DescriptorFile = "descriptors.binpb"
	// OpenAPIFile describes the REST door.
	OpenAPIFile = "openapi.json"
)

// NotEmptyError is a folder that holds something already.
type NotEmptyError struct{ Folder string }

// Error names the folder.
func (e *NotEmptyError) Error() string { return "folder " + e.Folder + " is not empty" }

// Write writes the schema into a folder, which it creates. One that is not empty
// is a [*NotEmptyError], unless replace is true: then what an earlier Write left
// there is replaced, and other files stay.
//
// All of it is written beside its place first, so that a failure leaves the
// folder as it was. A process that is killed while it moves the parts to their
// places leaves some of them old, and a hidden folder with the rest.
func (s *Schema) Write(folder, version string, replace bool) (err error) {
	made, err := prepare(folder, replace)
	if err != nil {
		return err
	}
	if made {
		defer func() {
			if err != nil {
				_ = os.Remove(folder) // As it was before.
			}
		}()
	}
	work, err := os.MkdirTemp(folder, ".schema-*")
	if err != nil {
		return fmt.Errorf("write into %s: %w", folder, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	next := filepath.Join(work, "new")
	if err := s.writeParts(next, version); err != nil {
		return err
	}
	return move(next, folder, filepath.Join(work, "old"))
}

// prepare makes the folder, or checks the one that is there.
func prepare(folder string, replace bool) (made bool, err error) {
	entries, err := os.ReadDir(folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(folder, folderMode); err != nil {
			return false, fmt.Errorf("make the folder: %w", err)
		}
		return true, nil
	case err != nil:
		return false, fmt.Errorf("look into the folder: %w", err)
	case len(entries) > 0 && !replace:
		return false, &NotEmptyError{folder}
	}
	return false, nil
}

// What is written is for others to read, as far as the umask allows.
const (
	folderMode = 0o755
	fileMode   = 0o644
)

func (s *Schema) writeParts(folder, version string) error {
	protos, err := s.Protos()
	if err != nil {
		return err
	}
	parts := make(map[string][]byte, len(protos)+2)
	for path, text := range protos {
		parts[filepath.Join(ProtoFolder, filepath.FromSlash(path))] = text
	}
	if parts[DescriptorFile], err = (proto.MarshalOptions{Deterministic: true}).Marshal(s.Descriptors()); err != nil {
		return fmt.Errorf("schema: encode the descriptors: %w", err)
	}
	if parts[OpenAPIFile], err = s.OpenAPI(version); err != nil {
		return err
	}
	for name, content := range parts {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), folderMode); err != nil {
			return fmt.Errorf("make a folder: %w", err)
		}
		if err := os.WriteFile(path, content, fileMode); err != nil {
			return fmt.Errorf("write a file: %w", err)
		}
	}
	return nil
}

// move puts the new parts into their places and what was there aside. When one
// of them cannot be moved, all are put back.
func move(from, to, aside string) (err error) {
	if err := os.Mkdir(aside, folderMode); err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	var undo []func() error
	defer func() {
		if err == nil {
			return
		}
		for _, step := range slices.Backward(undo) {
			err = errors.Join(err, step())
		}
	}()
	rename := func(from, to string) error {
		if err := os.Rename(from, to); err != nil {
			return fmt.Errorf("move a part to its place: %w", err)
		}
		undo = append(undo, func() error { return os.Rename(to, from) })
		return nil
	}
	for _, name := range []string{ProtoFolder, DescriptorFile, OpenAPIFile} {
		place := filepath.Join(to, name)
		if _, err := os.Lstat(place); err == nil {
			if err := rename(place, filepath.Join(aside, name)); err != nil {
				return err
			}
		}
		if err := rename(filepath.Join(from, name), place); err != nil {
			return err
		}
	}
	return nil
}
