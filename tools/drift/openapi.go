package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// document is the part of an OpenAPI 3.1 document that describes operations.
type document struct {
	Paths      map[string]map[string]endpoint `json:"paths"`
	Components struct {
		Schemas map[string]*schema `json:"schemas"`
	} `json:"components"`

	loaded map[string]*member // By schema name; one that is being loaded is there, unfinished.
}

type endpoint struct {
	Parameters  []parameter        `json:"parameters"`
	RequestBody *content           `json:"requestBody"`
	Responses   map[string]content `json:"responses"`
}

type parameter struct {
	Name        string  `json:"name"`
	In          string  `json:"in"`
	Required    bool    `json:"required"`
	Description string  `json:"description"`
	Schema      *schema `json:"schema"`
}

type content struct {
	Content map[string]struct {
		Schema *schema `json:"schema"`
	} `json:"content"`
}

// readOpenAPI reads the operations of an OpenAPI 3.1 document in JSON. A keyword of a
// schema that it does not understand is an error: skipped, it would be a difference
// that is never reported.
func readOpenAPI(r io.Reader) (map[string]*operation, error) {
	var doc document
	if err := json.NewDecoder(r).Decode(&doc); err != nil {
		return nil, fmt.Errorf("openapi: %w", err)
	}
	if len(doc.Paths) == 0 {
		return nil, errors.New("openapi: the document has no paths")
	}
	doc.loaded = make(map[string]*member)
	operations := make(map[string]*operation)
	for path, item := range doc.Paths {
		for verb, e := range item {
			op, err := doc.operation(strings.ToUpper(verb)+" "+path, e)
			if err != nil {
				return nil, fmt.Errorf("openapi: %s %s: %w", verb, path, err)
			}
			operations[op.name] = op
		}
	}
	return operations, nil
}

func (d *document) operation(name string, e endpoint) (*operation, error) {
	op := &operation{name: name, path: make(map[string]*member), query: make(map[string]*member)}
	for _, p := range e.Parameters {
		if p.Schema == nil {
			return nil, fmt.Errorf("parameter %q has no schema", p.Name)
		}
		// Both spellings of an array's name mean the same parameter.
		name := strings.TrimSuffix(p.Name, "[]")
		m, err := d.member(p.Schema, name)
		if err != nil {
			return nil, fmt.Errorf("parameter %q: %w", p.Name, err)
		}
		m.required = p.Required
		m.nullable = false // A query cannot say null.
		m.shape = withProse(m.shape, p.Description)
		switch p.In {
		case "path":
			op.path[name] = m
		case "query":
			op.query[name] = m
		default:
			return nil, fmt.Errorf("parameter %q is in %q", p.Name, p.In)
		}
	}
	var err error
	if e.RequestBody != nil {
		if op.body, err = d.json(*e.RequestBody); err != nil {
			return nil, fmt.Errorf("request: %w", err)
		}
	}
	for _, status := range slices.Sorted(maps.Keys(e.Responses)) {
		if !strings.HasPrefix(status, "2") {
			continue
		}
		if op.response != nil {
			return nil, errors.New("more than one successful response")
		}
		if op.response, err = d.json(e.Responses[status]); err != nil {
			return nil, fmt.Errorf("response: %w", err)
		}
	}
	return op, nil
}

func (d *document) json(c content) (*shape, error) {
	if len(c.Content) == 0 {
		return nil, nil
	}
	media, ok := c.Content["application/json"]
	if !ok || len(c.Content) > 1 || media.Schema == nil {
		return nil, fmt.Errorf("content is not JSON alone: %v", slices.Sorted(maps.Keys(c.Content)))
	}
	m, err := d.member(media.Schema, "")
	if err != nil {
		return nil, err
	}
	return m.shape, nil
}

// member reads a schema as the value called name.
func (d *document) member(s *schema, name string) (*member, error) {
	if s.Ref != "" {
		m, err := d.reference(s.Ref, name)
		if err != nil {
			return nil, err
		}
		return &member{shape: withProse(m.shape, s.Description), nullable: m.nullable}, nil
	}
	m := &member{shape: &shape{}}
	return m, d.read(m, s, name)
}

func (d *document) reference(ref, name string) (*member, error) {
	target := strings.TrimPrefix(ref, "#/components/schemas/")
	if m, ok := d.loaded[target]; ok {
		return m, nil
	}
	s := d.Components.Schemas[target]
	if s == nil {
		return nil, fmt.Errorf("%s: no such schema", ref)
	}
	m := &member{shape: &shape{}}
	d.loaded[target] = m
	if s.Ref != "" {
		next, err := d.reference(s.Ref, name)
		if err != nil {
			return nil, err
		}
		*m = *next
		return m, nil
	}
	if err := d.read(m, s, name); err != nil {
		return nil, fmt.Errorf("%s: %w", target, err)
	}
	return m, nil
}

// read fills m from a schema that is not a reference.
func (d *document) read(m *member, s *schema, name string) error {
	m.prose = s.Description
	m.bounds = s.bounds()
	m.nullable = s.Nullable
	alternatives := slices.Concat(s.AnyOf, s.OneOf)
	types := slices.Clone(s.Type)
	if i := slices.Index(types, "null"); i >= 0 {
		m.nullable = true
		types = slices.Delete(types, i, i+1)
	}
	switch {
	case len(s.AllOf) > 0:
		return d.all(m, s, name)
	case len(alternatives) > 0:
		return d.any(m, alternatives, s.Discriminator.PropertyName, name)
	case len(types) != 1:
		return fmt.Errorf("%q: type is %v", name, s.Type)
	}
	switch types[0] {
	case "string":
		m.kind = text
		m.values = s.Enum
		if len(s.Enum) > 1 {
			m.kind = closed
		}
	case "integer":
		m.kind = integer
		if isInstant(s, name) {
			m.kind = instant
		}
	case "number":
		m.kind = number
	case "boolean":
		m.kind = boolean
	case "array":
		m.kind = array
		if s.Items == nil {
			return fmt.Errorf("%q: an array without items", name)
		}
		element, err := d.member(s.Items, name)
		if err != nil {
			return err
		}
		m.element = element.shape
	case "object":
		m.kind = object
		return d.properties(m.shape, s)
	default:
		return fmt.Errorf("%q: type %q", name, types[0])
	}
	return nil
}

// unixProse is how the description says in words that a number is an instant.
var unixProse = regexp.MustCompile(`(?i)\bunix\b`)

// instantNames are integers that are instants although nothing beside them says so.
var instantNames = []string{"created_at", "updated_at", "start_time", "end_time", "gt", "gte", "lt", "lte"}

func isInstant(s *schema, name string) bool {
	return s.Format == "unixtime" || unixProse.MatchString(s.Description) || slices.Contains(instantNames, name)
}

func (d *document) properties(into *shape, s *schema) error {
	switch values := s.Others.schema; {
	case values != nil && len(s.Properties) > 0:
		return errors.New("properties beside a schema of additional ones")
	case values != nil:
		m, err := d.member(values, "")
		if err != nil {
			return err
		}
		into.kind, into.element = mapping, m.shape
		return nil
	case len(s.Properties) == 0:
		into.kind = free
		return nil
	}
	if into.members == nil {
		into.members = make(map[string]*member)
	}
	for name, property := range s.Properties {
		m, err := d.member(property, name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		into.members[name] = m
	}
	for _, name := range s.Required {
		m, ok := into.members[name]
		if !ok {
			return fmt.Errorf("required property %q is not described", name)
		}
		m.required = true
	}
	return nil
}

// all merges the objects of an allOf into one.
func (d *document) all(m *member, s *schema, name string) error {
	m.kind = object
	m.members = make(map[string]*member)
	for _, part := range s.AllOf {
		p, err := d.member(part, name)
		if err != nil {
			return err
		}
		if p.kind != object {
			return fmt.Errorf("%q: allOf over a %s", name, p.kind)
		}
		maps.Copy(m.members, p.members)
	}
	return nil
}

// any reads alternatives, of which null is none.
func (d *document) any(m *member, schemas []*schema, discriminator, name string) error {
	var shapes []*shape
	for _, alternative := range schemas {
		if slices.Equal(alternative.Type, []string{"null"}) {
			m.nullable = true
			continue
		}
		a, err := d.member(alternative, name)
		if err != nil {
			return err
		}
		m.nullable = m.nullable || a.nullable
		shapes = append(shapes, a.shape)
	}
	s, err := alternatives(shapes, discriminator)
	if err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	if len(shapes) == 1 {
		m.shape = withProse(s, m.prose)
		return nil
	}
	m.kind, m.values, m.variants = s.kind, s.values, s.variants
	return nil
}

// withProse returns s with words that stand beside a reference to it.
func withProse(s *shape, prose string) *shape {
	if prose == "" || s.kind == "" || s.kind == object {
		return s // Objects keep their identity: they may contain themselves.
	}
	c := *s
	c.prose = strings.TrimSpace(prose + "\n" + s.prose)
	if c.kind == integer && unixProse.MatchString(prose) {
		c.kind = instant
	}
	return &c
}
