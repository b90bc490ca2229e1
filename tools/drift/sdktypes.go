package main

import (
	"fmt"
	"go/ast"
	"maps"
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

// scope is where a type's name stands.
type scope struct {
	pkg  string
	tag  string            // The tag that names members: "json" or "query".
	args map[string]*shape // Of a generic type, by parameter.
}

// shape reads a type of the SDK.
func (s *goSource) shape(e ast.Expr, in scope) (*shape, error) {
	switch e := e.(type) {
	case *ast.StarExpr:
		return s.shape(e.X, in)
	case *ast.ArrayType:
		element, err := s.shape(e.Elt, in)
		return &shape{kind: array, element: element}, err
	case *ast.MapType:
		element, err := s.shape(e.Value, in)
		if err != nil || element.kind == free {
			return &shape{kind: free}, err
		}
		return &shape{kind: mapping, element: element}, nil
	case *ast.IndexExpr:
		argument, err := s.shape(e.Index, in)
		if err != nil {
			return nil, err
		}
		name := qualified(e.X, in)
		if name == "param.Opt" {
			return argument, nil
		}
		return s.generic(name, argument, in)
	case *ast.Ident:
		if argument := in.args[e.Name]; argument != nil {
			return argument, nil
		}
		if kind, ok := builtins[e.Name]; ok {
			return &shape{kind: kind}, nil
		}
	}
	return s.named(qualified(e, in), in.tag)
}

var builtins = map[string]kind{"string": text, "int64": integer, "float64": number, "bool": boolean, "any": free}

// qualified returns the name of a type with its package, "" for a type without a name.
func qualified(e ast.Expr, in scope) string {
	switch e := e.(type) {
	case *ast.Ident:
		return in.pkg + "." + e.Name
	case *ast.SelectorExpr:
		if pkg, ok := e.X.(*ast.Ident); ok {
			return pkg.Name + "." + e.Sel.Name
		}
	}
	return ""
}

func (s *goSource) generic(name string, argument *shape, in scope) (*shape, error) {
	spec := s.types[name]
	if spec == nil || spec.TypeParams.NumFields() != 1 {
		return nil, fmt.Errorf("type %q is not understood", name)
	}
	pkg, _, _ := strings.Cut(name, ".")
	in.pkg, in.args = pkg, map[string]*shape{spec.TypeParams.List[0].Names[0].Name: argument}
	return s.definition(name, spec, in)
}

// named reads a type that has a name, once.
func (s *goSource) named(name, tag string) (*shape, error) {
	if value, ok := s.fixed[name]; ok {
		return &shape{kind: text, values: []string{value}}, nil
	}
	key := name + " " + tag
	if loaded := s.loaded[key]; loaded != nil {
		return loaded, nil
	}
	spec := s.types[name]
	if spec == nil {
		return nil, fmt.Errorf("type %q is not understood", name)
	}
	loaded := &shape{}
	s.loaded[key] = loaded
	pkg, _, _ := strings.Cut(name, ".")
	defined, err := s.definition(name, spec, scope{pkg: pkg, tag: tag})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	*loaded = *defined
	return loaded, nil
}

func (s *goSource) definition(name string, spec *ast.TypeSpec, in scope) (*shape, error) {
	if casts := s.casts[name]; len(casts) > 0 {
		return s.alternatives(casts, in)
	}
	if structure, ok := spec.Type.(*ast.StructType); ok {
		return s.structure(structure, in)
	}
	defined, err := s.shape(spec.Type, in)
	if err != nil || len(s.values[name]) == 0 {
		return defined, err
	}
	return merged([]*shape{{kind: text, values: s.values[name]}}), nil
}

func (s *goSource) alternatives(types []ast.Expr, in scope) (*shape, error) {
	var shapes []*shape
	for _, t := range types {
		alternative, err := s.shape(t, in)
		if err != nil {
			return nil, err
		}
		shapes = append(shapes, alternative)
	}
	return alternatives(shapes, "")
}

// structure reads the members of an object, or the variants of a union that a request has.
func (s *goSource) structure(of *ast.StructType, in scope) (*shape, error) {
	object := &shape{kind: object, members: make(map[string]*member)}
	var variants []ast.Expr
	for _, field := range of.Fields.List {
		if len(field.Names) == 0 {
			if err := s.embedded(object, field.Type, in); err != nil {
				return nil, err
			}
			continue
		}
		if len(field.Names) != 1 || !field.Names[0].IsExported() {
			continue // The SDK's own state.
		}
		tags := tagsOf(field)
		name, options, _ := strings.Cut(tags.Get(in.tag), ",")
		switch {
		case name == "-" || tags.Get(in.tag) == "":
			continue
		case name == "" && strings.Contains(options, "inline"):
			variants = append(variants, field.Type)
			continue
		case name == "":
			return nil, fmt.Errorf("field %s has no name in %s", field.Names[0].Name, in.tag)
		}
		value, err := s.shape(field.Type, in)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		object.members[name] = &member{
			shape:    documented(value, field.Doc.Text()),
			required: tags.Get("api") == "required" || tags.Get("default") != "",
			nullable: tags.Get("api") == "nullable",
		}
	}
	if len(variants) > 0 {
		return s.alternatives(variants, in)
	}
	return object, nil
}

// embedded adds the members of a type that is embedded in the object, as JSON sees them.
func (s *goSource) embedded(object *shape, kind ast.Expr, in scope) error {
	if name, ok := kind.(*ast.Ident); ok && !name.IsExported() {
		return nil // The SDK's own state.
	}
	part, err := s.shape(kind, in)
	if err != nil {
		return err
	}
	maps.Copy(object.members, part.members)
	return nil
}

func tagsOf(field *ast.Field) reflect.StructTag {
	if field.Tag == nil {
		return ""
	}
	tags, err := strconv.Unquote(field.Tag.Value)
	if err != nil {
		return ""
	}
	return reflect.StructTag(tags)
}

// anyOf is how a comment lists the values of a string whose type does not, and quoted
// finds them.
var (
	anyOf  = regexp.MustCompile(`\bAny of ("[^"]*",?\s+)*"[^"]*"\.`)
	quoted = regexp.MustCompile(`"([^"]*)"`)
)

// documented returns the shape with the values that a comment lists.
func documented(s *shape, comment string) *shape {
	list := anyOf.FindString(comment)
	switch {
	case list == "":
		return s
	case s.kind == array:
		return &shape{kind: array, element: documented(s.element, comment)}
	case s.kind != text || len(s.values) > 0:
		return s
	}
	var values []string
	for _, match := range quoted.FindAllStringSubmatch(list, -1) {
		values = append(values, match[1])
	}
	return merged([]*shape{{kind: text, values: values}})
}
