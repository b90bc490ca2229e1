package schema

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	pb "google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

// names lists what is directly in a folder; none where there is no folder.
func names(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	list := make([]string, len(entries))
	for i, entry := range entries {
		list[i] = entry.Name()
	}
	return list
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	s := theSchema(t)
	for _, test := range []struct{ name, folder string }{{"new", "a/b"}, {"empty", ""}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			folder := filepath.Join(t.TempDir(), filepath.FromSlash(test.folder))
			if err := s.Write(folder, "test", false); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{DescriptorFile, OpenAPIFile, ProtoFolder}, names(t, folder)); diff != "" {
				t.Error(diff)
			}
			wire, err := os.ReadFile(filepath.Join(folder, DescriptorFile))
			if err != nil {
				t.Fatal(err)
			}
			if err := pb.Unmarshal(wire, new(descriptorpb.FileDescriptorSet)); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(filepath.Join(folder, ProtoFolder, "google", "rpc", "status.proto")); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWriteIntoAFolderThatIsNotEmpty(t *testing.T) {
	t.Parallel()
	s, folder := theSchema(t), t.TempDir()
	stale, other := filepath.Join(folder, ProtoFolder, "removed.proto"), filepath.Join(folder, "notes.txt")
	put(t, stale, "old")
	put(t, filepath.Join(folder, OpenAPIFile), "old")
	put(t, other, "kept")

	before := names(t, folder)
	err := s.Write(folder, "test", false)
	if refused, ok := errors.AsType[*NotEmptyError](err); !ok || refused.Folder != folder {
		t.Fatalf("error %v", err)
	}
	if diff := cmp.Diff(before, names(t, folder)); diff != "" {
		t.Errorf("a refusal changed the folder: %s", diff)
	}

	if err := s.Write(folder, "test", true); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{DescriptorFile, "notes.txt", OpenAPIFile, ProtoFolder}, names(t, folder)); diff != "" {
		t.Error(diff)
	}
	if _, err := os.Stat(stale); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file of an earlier schema is still there: %v", err)
	}
	if text, err := os.ReadFile(other); err != nil || string(text) != "kept" {
		t.Errorf("another file was touched: %q, %v", text, err)
	}
}

func TestWriteThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	files := sources(t)
	s, err := New(t.Context(), linkedFiles(), files)
	if err != nil {
		t.Fatal(err)
	}
	delete(files, "admingateway/admin/v1/project.proto") // It cannot be read any more.

	parent := t.TempDir()
	folder := filepath.Join(parent, "out")
	if err := s.Write(folder, "test", false); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("error %v", err)
	}
	if left := names(t, parent); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
	put(t, filepath.Join(folder, OpenAPIFile), "old")
	if err := s.Write(folder, "test", true); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("error %v", err)
	}
	if left := names(t, folder); !slices.Equal(left, []string{OpenAPIFile}) {
		t.Errorf("%v is left", left)
	}
}

// A part that cannot be moved to its place puts the ones before it back.
func TestMoveIsUndone(t *testing.T) {
	t.Parallel()
	from, to := t.TempDir(), t.TempDir()
	put(t, filepath.Join(from, ProtoFolder, "a.proto"), "new")
	put(t, filepath.Join(to, ProtoFolder, "a.proto"), "old")
	put(t, filepath.Join(to, DescriptorFile), "old")
	// There are no new descriptors.
	if err := move(from, to, filepath.Join(t.TempDir(), "aside")); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("error %v", err)
	}
	for _, name := range []string{filepath.Join(ProtoFolder, "a.proto"), DescriptorFile} {
		if text, err := os.ReadFile(filepath.Join(to, name)); err != nil || string(text) != "old" {
			t.Errorf("%s is %q, %v", name, text, err)
		}
	}
}

func TestWriteWhereAFileIs(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	put(t, path, "text")
	if err := theSchema(t).Write(path, "test", true); err == nil {
		t.Error("no error")
	}
}
