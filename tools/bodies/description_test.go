package bodies

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/admin-gateway/admin-gateway/internal/openapitest"
)

// defaultDescription is where the description lies beside a checkout of the
// project that has one.
const defaultDescription = "../../../shared/upstream/admin-openapi-2026-11.json"

// schema is a schema as it is written.
type schema = map[string]any

// operation is one verb and path.
type operation struct {
	verb, path string
	// body is the request's schema, answer that of the success; nil: none.
	body, answer schema
	status       string // of the answer
	query        []parameter
}

func (o operation) String() string { return o.verb + " " + o.path }

// read reports whether it changes nothing.
func (o operation) read() bool { return o.verb == http.MethodGet }

type parameter struct {
	name     string
	required bool
	schema   schema
}

// description is the vendor's description of the Admin API.
type description struct {
	root       map[string]any
	operations []operation
}

// load reads the description, and skips the test where there is none.
func load(t *testing.T) *description {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(openapitest.Description(t, defaultDescription)))
	decoder.UseNumber() // Bounds are integers of 64 bits.
	d := new(description)
	if err := decoder.Decode(&d.root); err != nil {
		t.Fatal(err)
	}
	paths := object(d.root["paths"])
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		item := object(paths[path])
		for _, verb := range slices.Sorted(maps.Keys(item)) {
			d.operations = append(d.operations, d.operation(strings.ToUpper(verb), path, object(item[verb])))
		}
	}
	if len(d.operations) == 0 {
		t.Fatal("the description has no operations")
	}
	return d
}

func (d *description) operation(verb, path string, raw map[string]any) operation {
	o := operation{verb: verb, path: path, body: jsonSchema(object(raw["requestBody"]))}
	responses := object(raw["responses"])
	for _, status := range slices.Sorted(maps.Keys(responses)) {
		if strings.HasPrefix(status, "2") && o.answer == nil {
			o.status, o.answer = status, jsonSchema(object(responses[status]))
		}
	}
	for _, p := range list(raw["parameters"]) {
		if p := object(p); p["in"] == "query" {
			name, _ := p["name"].(string)
			o.query = append(o.query, parameter{strings.TrimSuffix(name, "[]"), p["required"] == true, object(p["schema"])})
		}
	}
	return o
}

// jsonSchema is the schema of a body in JSON.
func jsonSchema(holder map[string]any) schema {
	content, ok := object(holder["content"])["application/json"]
	if !ok {
		return nil
	}
	return object(object(content)["schema"])
}

// resolve follows references, and puts the parts of allOf into one.
func (d *description) resolve(s schema) schema {
	for {
		ref, ok := s["$ref"].(string)
		if !ok {
			break
		}
		at := any(d.root)
		for name := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
			at = object(at)[name]
		}
		s = object(at)
	}
	parts := list(s["allOf"])
	if len(parts) == 0 {
		return s
	}
	properties, required := schema{}, []any{}
	for _, part := range parts {
		resolved := d.resolve(object(part))
		maps.Copy(properties, object(resolved["properties"]))
		required = append(required, list(resolved["required"])...)
	}
	return schema{"type": "object", "properties": properties, "required": required}
}

// alternatives are those of a union, without their own unions; a schema that is none
// is its only one.
func (d *description) alternatives(s schema) (all []schema) {
	s = d.resolve(s)
	for _, keyword := range []string{"anyOf", "oneOf"} {
		for _, one := range list(s[keyword]) {
			all = append(all, d.alternatives(object(one))...)
		}
	}
	if len(all) == 0 {
		return []schema{s}
	}
	return all
}

func object(v any) map[string]any { o, _ := v.(map[string]any); return o }

func list(v any) []any { l, _ := v.([]any); return l }
