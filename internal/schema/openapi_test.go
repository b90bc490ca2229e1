package schema

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/admin-gateway/admin-gateway/proto"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// full is a message with every field set, of which lists have two elements. Only
// the first member of a oneof can be set, and a message that holds itself ends.
func full(message protoreflect.MessageDescriptor, depth int) *dynamicpb.Message {
	m := dynamicpb.NewMessage(message)
	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		if o := field.ContainingOneof(); isOurs(field) || depth == 0 || o != nil && !o.IsSynthetic() && o.Fields().Get(0) != field {
			continue
		}
		if field.IsMap() {
			m.Mutable(field).Map().Set(protoreflect.ValueOfString("k").MapKey(), some(field.MapValue(), depth))
			continue
		}
		if field.IsList() {
			list := m.Mutable(field).List()
			list.Append(some(field, depth))
			list.Append(some(field, depth))
			continue
		}
		m.Set(field, some(field, depth))
	}
	return m
}

func some(field protoreflect.FieldDescriptor, depth int) protoreflect.Value {
	switch {
	case field.Enum() != nil:
		rules := rulesOf(field)
		if field.IsList() {
			rules = rules.GetRepeated().GetItems()
		}
		return protoreflect.ValueOfEnum(allowed(field.Enum(), rules.GetEnum())[0].Number())
	case field.Message() != nil && field.Message().FullName() == "google.protobuf.Timestamp":
		m := dynamicpb.NewMessage(field.Message())
		m.Set(field.Message().Fields().ByName("seconds"), protoreflect.ValueOfInt64(1711471533))
		return protoreflect.ValueOfMessage(m)
	case field.Message() != nil:
		return protoreflect.ValueOfMessage(full(field.Message(), depth-1))
	case mapping(field).GetDecimal():
		return protoreflect.ValueOfString("0.125")
	case field.Kind() == protoreflect.StringKind:
		return protoreflect.ValueOfString("x_1")
	case field.Kind() == protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case field.Kind() == protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(7)
	case field.Kind() == protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(7)
	}
	return field.Default()
}

// What upstream writes for a request with everything set is declared: verb, path,
// every parameter and every member of the body. So the description cannot lack
// what the REST door takes, which is what upstream writes, read back.
func TestOperationsAreWhatUpstreamWrites(t *testing.T) {
	t.Parallel()
	s := theSchema(t)
	document := openAPI(t, s)
	count := 0
	for _, file := range s.files {
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				endpoint, err := upstream.Compile(methods.Get(j), nil)
				if err != nil {
					continue // Not of the mirror.
				}
				count++
				operation := document.at("paths", endpoint.Template(), strings.ToLower(endpoint.Verb()))
				if got, want := operation.at("x-rpc").value, string(methods.Get(j).Parent().FullName())+"/"+string(methods.Get(j).Name()); got != want {
					t.Errorf("%s is %s, want %s", endpoint, got, want)
				}
				request, err := endpoint.Request(full(methods.Get(j).Input(), 8))
				if err != nil {
					t.Errorf("%s: %v", endpoint, err)
					continue
				}
				declares(t, operation, request)
			}
		}
	}
	described := 0
	paths, _ := document.at("paths").value.(map[string]any)
	for _, item := range paths {
		verbs, _ := item.(map[string]any)
		described += len(verbs)
	}
	if count != described || count == 0 {
		t.Errorf("%d operations are described, %d declared", described, count)
	}
}

func declares(t *testing.T, operation node, request *upstream.Request) {
	t.Helper()
	query, err := url.ParseQuery(request.Query)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range query {
		p, ok := operation.parameter(name)
		if base, member, deep := strings.Cut(strings.TrimSuffix(name, "]"), "["); !ok && deep {
			if p, ok = operation.parameter(base); ok && p.at("style").value == "deepObject" {
				_ = p.at("schema", "properties", member)
				continue
			}
		}
		if !ok {
			t.Errorf("%v: parameter %q is not declared", operation.at("x-rpc").value, name)
			continue
		}
		if isList := p.at("schema", "type").value == "array"; isList != (len(values) == 2) {
			t.Errorf("%v: parameter %q has %d values", operation.at("x-rpc").value, name, len(values))
		}
	}
	if request.Body == nil {
		if _, has := operation.has("requestBody"); has {
			t.Errorf("%v: a body is declared", operation.at("x-rpc").value)
		}
		return
	}
	var body any
	if err := json.Unmarshal(request.Body, &body); err != nil {
		t.Fatal(err)
	}
	fits(t, operation.at("requestBody", "content", "application/json", "schema"), body)
}

// memberOf is the schema of a member: one of the object's own, one of the first variant
// of its union, which is the one that `full` sets, or one of any name.
func memberOf(schema node, name string) node {
	if properties, ok := schema.has("properties"); ok {
		if member, ok := properties.has(name); ok {
			return member
		}
	}
	if variants, ok := schema.has("oneOf"); ok {
		list, _ := variants.value.([]any)
		return node{schema.t, schema.root, list[0]}.at("properties", name)
	}
	if _, open := schema.has("properties"); open {
		return schema.at("properties", name)
	}
	return schema.at("additionalProperties")
}

// fits checks names and types of members, not the rules of their values.
func fits(t *testing.T, schema node, value any) {
	t.Helper()
	var types []string
	switch named := schema.at("type").value.(type) {
	case string:
		types = []string{named}
	case []any:
		for _, name := range named {
			text, _ := name.(string)
			types = append(types, text)
		}
	}
	kind := ""
	switch value := value.(type) {
	case map[string]any:
		kind = "object"
		for name, member := range value {
			fits(t, memberOf(schema, name), member)
		}
	case []any:
		kind = "array"
		for _, item := range value {
			fits(t, schema.at("items"), item)
		}
	case string:
		kind = "string"
		if words, closed := schema.has("enum"); closed {
			if list, _ := words.value.([]any); !slices.Contains(list, any(value)) {
				t.Errorf("%q is none of %v", value, list)
			}
		}
	case bool:
		kind = "boolean"
	case float64:
		kind = "number"
		if value == float64(int64(value)) && slices.Contains(types, "integer") {
			kind = "integer"
		}
	}
	if !slices.Contains(types, kind) {
		t.Errorf("%v is no %v", value, types)
	}
}

func TestOpenAPIIsTheSameEachTime(t *testing.T) {
	t.Parallel()
	first, err := theSchema(t).OpenAPI("test")
	if err != nil {
		t.Fatal(err)
	}
	again, err := New(t.Context(), linkedFiles(), proto.Sources)
	if err != nil {
		t.Fatal(err)
	}
	second, err := again.OpenAPI("test")
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("two descriptions differ, error %v", err)
	}
}

// One example of each kind of declaration.
func TestOpenAPIForms(t *testing.T) {
	t.Parallel()
	document := openAPI(t, theSchema(t))
	schemas := document.at("components", "schemas")
	for _, test := range []struct {
		what string
		at   node
		want string
	}{
		{"a nullable member", schemas.at("UpdateProjectRequest", "properties", "name", "type"), `["string","null"]`},
		{"an optional member of an answer", schemas.at("Project", "properties", "name", "type"), `["string","null"]`},
		{"a plain member of an answer", schemas.at("Project", "required"), `["id","object"]`},
		{"a time", schemas.at("Project", "properties", "created_at", "type"), `["integer","null"]`},
		{"an enum", schemas.at("Project", "properties", "residency", "enum"), `["GLOBAL","US_STORAGE_PROCESSING","EU_STORAGE_PROCESSING","JP_STORAGE","KR_STORAGE","CA_STORAGE","SG_STORAGE","IN_STORAGE","AU_STORAGE","GB_STORAGE","AE_STORAGE","AE_STORAGE_PROCESSING","JP_STORAGE_PROCESSING","IN_STORAGE_PROCESSING","AU_STORAGE_PROCESSING"]`},
		{"a decimal", schemas.at("CostsAmount", "properties", "value", "type"), `["number","string","null"]`},
		{"a free object", schemas.at("AssignedRole", "properties", "metadata", "additionalProperties"), `true`},
		{"a page", schemas.at("ListProjectsResponse", "required"), `["object","has_more","data"]`},
		{"an enum that may be missing", schemas.at("Group", "required"), `["id","is_scim_managed"]`},
		{"required members", schemas.at("CreateProjectRequest", "required"), `["name"]`},
		{"strict requests", schemas.at("CreateProjectRequest", "additionalProperties"), `false`},
		{"bounds of a list", schemas.at("ActivateCertificatesRequest", "properties", "certificate_ids", "maxItems"), `10`},
	} {
		got, err := json.Marshal(test.at.value)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, string(got)); diff != "" {
			t.Errorf("%s: %s", test.what, diff)
		}
	}
	logs := document.at("paths", "/organization/audit_logs", "get")
	if p, ok := logs.parameter("effective_at"); !ok || p.at("style").value != "deepObject" {
		t.Error("a range is no deepObject")
	}
	if p, ok := logs.parameter("project_ids[]"); !ok || p.at("style").value != "form" || p.at("explode").value != true {
		t.Error("a list is no exploded form")
	}
}

// Who may call and which headers mean something comes from the policy.
func TestOpenAPIPolicies(t *testing.T) {
	t.Parallel()
	paths := openAPI(t, theSchema(t)).at("paths")
	for _, test := range []struct {
		path, verb, permission      string
		idempotent, cached, unknown bool
	}{
		{"/organization/projects/{project_id}", "get", "projects.read", false, true, false},
		{"/organization/projects/{project_id}", "post", "projects.update", true, false, true},
		{"/organization/users/{user_id}", "delete", "users.delete", true, false, true},
	} {
		operation := paths.at(test.path, test.verb)
		if got := operation.at("x-permission").value; got != test.permission {
			t.Errorf("%s %s takes %v", test.verb, test.path, got)
		}
		if _, got := operation.parameter(idempotencyKey); got != test.idempotent {
			t.Errorf("%s %s: Idempotency-Key: %t", test.verb, test.path, got)
		}
		if _, got := operation.parameter(cacheControl); got != test.cached {
			t.Errorf("%s %s: Cache-Control: %t", test.verb, test.path, got)
		}
		if _, got := operation.at("responses").has("424"); got != test.unknown {
			t.Errorf("%s %s: 424: %t", test.verb, test.path, got)
		}
	}
}
