package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// sdkModule is the vendor's SDK for Go. Its types and methods are generated from the
// vendor's description, which is not published itself.
const sdkModule = "github.com/openai/openai-go/v3"

// pinned stands for the version that tools/sdk-go requires, which calls every operation
// with it.
const pinned = "pinned"

// sdkFolder is the module with the pinned version, from the folder of this tool.
const sdkFolder = "../sdk-go"

// module is what the go command says of a downloaded module.
type module struct {
	Version string
	Dir     string
	Error   string
}

// fetchSDK downloads the SDK from the registry, unless it is in the module cache, and
// returns the folder of its source. The version is "pinned", "latest", or one of the SDK's.
func fetchSDK(ctx context.Context, version string) (module, error) {
	folder, query := sdkFolder, sdkModule
	if version != pinned { // Where no go.mod says otherwise.
		folder, query = os.TempDir(), sdkModule+"@"+version
	}
	command := exec.CommandContext(ctx, "go", "mod", "download", "-json", query)
	command.Dir = folder
	command.Stderr = os.Stderr
	out, failed := command.Output()
	var m module
	if err := json.Unmarshal(out, &m); err != nil {
		return module{}, fmt.Errorf("sdk: go mod download %s: %w", query, errors.Join(failed, err))
	}
	if failed != nil || m.Dir == "" {
		return module{}, fmt.Errorf("sdk: go mod download %s: %s", query, m.Error)
	}
	return m, nil
}

// goSource is the source of the SDK's packages, as far as it describes operations.
// Names are qualified by their package: "openai.Project".
type goSource struct {
	types   map[string]*ast.TypeSpec
	values  map[string][]string   // The constants of a type.
	fixed   map[string]string     // The only value of a type of package constant.
	casts   map[string][]ast.Expr // The types into which a union's As methods convert it.
	methods []*ast.FuncDecl       // Of the admin services.
	loaded  map[string]*shape     // By type and tag; one that is being loaded is there, unfinished.
}

// readSource parses the SDK's packages in the folder.
func readSource(folder string) (*goSource, error) {
	s := &goSource{
		types: make(map[string]*ast.TypeSpec), values: make(map[string][]string), fixed: make(map[string]string),
		casts: make(map[string][]ast.Expr), loaded: make(map[string]*shape),
	}
	files := token.NewFileSet()
	for _, pkg := range []string{".", "packages/pagination", "shared", "shared/constant"} {
		names, err := filepath.Glob(filepath.Join(folder, filepath.FromSlash(pkg), "*.go"))
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(files, name, nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				return nil, fmt.Errorf("sdk: %w", err)
			}
			s.file(file)
		}
	}
	return s, nil
}

func (s *goSource) file(file *ast.File) {
	pkg := file.Name.Name + "."
	for _, declaration := range file.Decls {
		switch d := declaration.(type) {
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					s.types[pkg+spec.Name.Name] = spec
				case *ast.ValueSpec:
					s.constants(pkg, spec)
				}
			}
		case *ast.FuncDecl:
			if receiver := receiverOf(d); receiver != "" {
				s.method(pkg+receiver, d)
			}
		}
	}
}

func (s *goSource) constants(pkg string, spec *ast.ValueSpec) {
	kind, ok := spec.Type.(*ast.Ident)
	if !ok {
		return
	}
	for _, value := range spec.Values {
		if text, ok := literal(value); ok {
			s.values[pkg+kind.Name] = append(s.values[pkg+kind.Name], text)
		}
	}
}

// method keeps what a method says: the value of a constant, a variant of a union, or an
// operation.
func (s *goSource) method(receiver string, d *ast.FuncDecl) {
	name := d.Name.Name
	switch {
	case name == "Default" && len(d.Body.List) == 1:
		if r, ok := d.Body.List[0].(*ast.ReturnStmt); ok && len(r.Results) == 1 {
			if text, ok := literal(r.Results[0]); ok {
				s.fixed[receiver] = text
			}
		}
	case strings.HasSuffix(receiver, "Union") || strings.HasPrefix(name, "As"):
		if strings.HasPrefix(name, "As") && name != "AsAny" && d.Type.Results.NumFields() == 1 {
			s.casts[receiver] = append(s.casts[receiver], d.Type.Results.List[0].Type)
		}
	case strings.HasPrefix(receiver, "openai.Admin") && strings.HasSuffix(receiver, "Service"):
		if d.Name.IsExported() && !strings.HasSuffix(name, "AutoPaging") {
			s.methods = append(s.methods, d)
		}
	}
}

// receiverOf returns the name of the type that has the method, "" for a function.
func receiverOf(d *ast.FuncDecl) string {
	if d.Recv.NumFields() != 1 {
		return ""
	}
	kind := d.Recv.List[0].Type
	if pointer, ok := kind.(*ast.StarExpr); ok {
		kind = pointer.X
	}
	if name, ok := kind.(*ast.Ident); ok {
		return name.Name
	}
	return "" // A generic type: none of ours has methods that matter.
}

// literal returns the value of a string literal.
func literal(e ast.Expr) (string, bool) {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(l.Value)
	return text, err == nil
}
