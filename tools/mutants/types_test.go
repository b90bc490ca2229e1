package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// checker type-checks packages that a mutant changes. It compiles nothing: what they
// import comes from the build cache, as the compiler left it.
type checker struct {
	root     string
	fset     *token.FileSet
	packages []listed // Those that mutants change, each behind what it imports.
	compiled types.Importer
	parsed   map[string]*ast.File // Those that are not changed.
}

// listed is a package, as go list prints it.
type listed struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
}

// newChecker makes one for the packages in some folders of a module.
func newChecker(ctx context.Context, root string, folders []string) (*checker, error) {
	c := &checker{fset: token.NewFileSet(), parsed: make(map[string]*ast.File)}
	var err error
	if c.root, err = filepath.Abs(root); err != nil {
		return nil, err
	}
	args := []string{"list", "-deps", "-export", "-json=ImportPath,Dir,Export,GoFiles"}
	dirs := make(map[string]bool)
	for _, folder := range folders {
		args = append(args, "./"+folder)
		dirs[filepath.Join(c.root, filepath.FromSlash(folder))] = true
	}
	var printed, said bytes.Buffer
	command := exec.CommandContext(ctx, "go", args...)
	command.Dir, command.Stdout, command.Stderr = c.root, &printed, &said
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, said.String())
	}
	exports := make(map[string]string)
	for d := json.NewDecoder(&printed); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		exports[p.ImportPath] = p.Export
		if dirs[p.Dir] {
			c.packages = append(c.packages, p)
		}
	}
	c.compiled = importer.ForCompiler(c.fset, "gc", func(name string) (io.ReadCloser, error) {
		return os.Open(exports[name])
	})
	return c, nil
}

// check type-checks the packages of the files that a mutant changes.
func (c *checker) check(changed map[string]string) error {
	mutated := make(map[string]*types.Package)
	for _, p := range c.packages {
		var files []*ast.File
		hit := false
		for _, name := range p.GoFiles {
			file, mine, err := c.parse(filepath.Join(p.Dir, name), changed)
			if err != nil {
				return err
			}
			files, hit = append(files, file), hit || mine
		}
		if !hit {
			continue
		}
		config := types.Config{Importer: importFunc(func(name string) (*types.Package, error) {
			if p := mutated[name]; p != nil {
				return p, nil
			}
			return c.compiled.Import(name)
		})}
		var err error
		if mutated[p.ImportPath], err = config.Check(p.ImportPath, c.fset, files, nil); err != nil {
			return err
		}
	}
	if len(mutated) == 0 {
		return errors.New("no file of a package is changed")
	}
	return nil
}

// parse returns a file, and whether the mutant changes it.
func (c *checker) parse(name string, changed map[string]string) (file *ast.File, mine bool, err error) {
	relative, err := filepath.Rel(c.root, name)
	if err != nil {
		return nil, false, err
	}
	if text, ok := changed[filepath.ToSlash(relative)]; ok {
		file, err = parser.ParseFile(c.fset, relative, text, parser.SkipObjectResolution)
		return file, true, err
	}
	if file = c.parsed[name]; file == nil {
		file, err = parser.ParseFile(c.fset, name, nil, parser.SkipObjectResolution)
		c.parsed[name] = file
	}
	return file, false, err
}

type importFunc func(string) (*types.Package, error)

// Import implements [types.Importer].
func (f importFunc) Import(name string) (*types.Package, error) { return f(name) }

// TestMutantsCompile: every package that a mutant changes has the right types. One that
// does not compile shows nothing.
func TestMutantsCompile(t *testing.T) {
	t.Parallel()
	mutants, err := readMutants("patches")
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range compile(t, root, mutants) {
		t.Errorf("%s: %v", name, err)
	}
}

// compile returns the mutants that do not, and why.
func compile(t *testing.T, root string, mutants []mutant) map[string]error {
	t.Helper()
	folders := make(map[string]bool)
	for _, m := range mutants {
		for _, e := range m.edits {
			folders[path.Dir(e.file)] = true
		}
	}
	c, err := newChecker(t.Context(), root, slices.Sorted(maps.Keys(folders)))
	if err != nil {
		t.Fatal(err)
	}
	faults := make(map[string]error)
	for _, m := range mutants {
		files, err := m.apply(root)
		if err == nil {
			err = c.check(files)
		}
		if err != nil {
			faults[m.name] = err
		}
	}
	return faults
}

// TestMutantsThatDoNotCompile are found, and no others.
func TestMutantsThatDoNotCompile(t *testing.T) {
	t.Parallel()
	root, patches := victim(t)
	const line = "\treturn n < Limit"
	for name, instead := range map[string]string{
		"good":     "\treturn n > Limit",
		"type":     "\treturn n",
		"unused":   "\tm := n\n+\treturn n < Limit",
		"unknown":  "\treturn m < Limit",
		"syntax":   "\treturn n <",
		"nothing":  "",
		"imported": "\treturn strings.Contains(\"\", \"\")",
	} {
		patch(t, patches, name, "", line, instead)
	}
	mutants, err := readMutants(patches)
	if err != nil {
		t.Fatal(err)
	}
	found := slices.Sorted(maps.Keys(compile(t, root, mutants)))
	if got, want := strings.Join(found, " "), "about/imported about/nothing about/syntax about/type about/unknown about/unused"; got != want {
		t.Errorf("do not compile: %s, want %s", got, want)
	}
}
