package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Two descriptions of one operation that agree. Each case of
// TestEachKindOfDifference changes one of them in one place.
const (
	agreedOpenAPI = `{
	"paths": {"/users/{id}": {"post": {
		"parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}],
		"requestBody": {"content": {"application/json": {"schema": {
			"type": "object", "required": ["role", "count", "tags"],
			"properties": {
				"role": {"type": "string", "enum": ["owner", "reader"]},
				"count": {"type": "integer", "minimum": 1, "maximum": 9},
				"tags": {"type": "array", "minItems": 1, "maxItems": 10, "items": {"type": "string", "maxLength": 5}},
				"note": {"anyOf": [{"type": "string", "minLength": 2}, {"type": "null"}]}
			}}}}},
		"responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/User"}}}}}
	}}, "/organization/costs": {"get": {
		"parameters": [
			{"name": "start_time", "in": "query", "required": true, "schema": {"type": "integer"}},
			{"name": "ids[]", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}},
			{"name": "limit", "in": "query", "description": "Between 1 and 100.", "schema": {"type": "integer"}}],
		"responses": {"200": {"content": {"application/json": {"schema": {"type": "object", "required": ["data"], "properties": {
			"data": {"type": "array", "items": {"discriminator": {"propertyName": "object"}, "oneOf": [
				{"$ref": "#/components/schemas/Cost"}, {"$ref": "#/components/schemas/Usage"}]}}}}}}}}
	}}},
	"components": {"schemas": {
		"User": {"allOf": [
			{"type": "object", "required": ["email", "added_at"], "properties": {
				"email": {"type": "string"},
				"added_at": {"type": "integer", "format": "unixtime"},
				"metadata": {"type": "object", "additionalProperties": true},
				"manager": {"$ref": "#/components/schemas/Manager"}}},
			{"type": "object", "properties": {"user.name": {"type": "string"}}}]},
		"Manager": {"type": "object", "properties": {"above": {"$ref": "#/components/schemas/Manager"}}},
		"Cost": {"type": "object", "required": ["object", "value"], "properties": {
			"object": {"type": "string", "enum": ["organization.costs.result"]},
			"value": {"type": "number"}}},
		"Usage": {"type": "object", "properties": {"object": {"type": "string", "enum": ["organization.usage.result"]}}}
	}}}`

	agreedProto = `
	service Users {
		rpc Update(UpdateRequest) returns (UpdateResponse) {
			option (google.api.http) = {post: "/users/{id}" body: "*" response_body: "user"};
		}
		rpc Costs(CostsRequest) returns (CostsResponse) {
			option (google.api.http) = {get: "/organization/costs"};
		}
	}
	message UpdateRequest {
		string id = 1 [(buf.validate.field).string.(admingateway.options.v1.path_id) = true];
		Role role = 2 [(buf.validate.field).enum.not_in = 0];
		int64 count = 3 [(buf.validate.field).int64 = {gte: 1, lt: 10}];
		repeated string tags = 4 [(buf.validate.field).repeated = {min_items: 1, max_items: 10, items: {string: {max_len: 5}}}];
		optional string note = 5 [(buf.validate.field).string.min_len = 2, (admingateway.options.v1.field).nullable = true];
		google.protobuf.FieldMask update_mask = 6;
	}
	message UpdateResponse { User user = 1; }
	message User {
		string email = 1;
		google.protobuf.Timestamp added_at = 2;
		google.protobuf.Struct metadata = 3;
		optional string name = 4 [(admingateway.options.v1.field).name = "user.name"];
		Manager manager = 5;
	}
	message Manager { Manager above = 1; }
	message CostsRequest {
		google.protobuf.Timestamp start_time = 1 [(buf.validate.field).required = true];
		repeated string ids = 2;
		optional int32 limit = 3 [(buf.validate.field).int32 = {gte: 0, lte: 100}];
	}
	message CostsResponse { repeated Cost data = 1; }
	message Cost { string object = 1; string value = 2 [(admingateway.options.v1.field).decimal = true]; }
	enum Role {
		ROLE_UNSPECIFIED = 0;
		ROLE_OWNER = 1 [(admingateway.options.v1.json_value) = "owner"];
		ROLE_READER = 2 [(admingateway.options.v1.json_value) = "reader"];
	}`
)

func TestAgreementIsSilent(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := checkOpenAPI(&out, []byte(agreedOpenAPI), nil, compiled(t, agreedProto)); err != nil {
		t.Errorf("%v:\n%s", err, &out)
	}
}

func TestEachKindOfDifference(t *testing.T) {
	t.Parallel()
	const post, get = "POST /users/{id}\t", "GET /organization/costs\t"
	for name, test := range map[string]struct {
		proto   [2]string // Old and new text.
		openapi [2]string
		want    []string
	}{
		"operation": {
			proto: [2]string{`"/organization/costs"`, `"/organization/cost"`},
			want:  []string{"GET /organization/cost\tproto\t-\toperation", get + "openapi\t-\toperation"},
		},
		"path parameter": {
			openapi: [2]string{`"name": "id"`, `"name": "user"`},
			want:    []string{post + "openapi\tpath.user\tstring", post + "proto\tpath.id\tstring"},
		},
		"query parameter only in the description": {
			proto: [2]string{`repeated string ids = 2;`, ``},
			want:  []string{get + "openapi\tquery.ids\tarray"},
		},
		"query parameter only in the proto": {
			proto: [2]string{`repeated string ids = 2;`, `repeated string ids = 2; optional bool all = 9;`},
			want:  []string{get + "proto\tquery.all\tboolean"},
		},
		"query parameter required": {
			proto: [2]string{` [(buf.validate.field).required = true]`, ``},
			want:  []string{get + "openapi\tquery.start_time\trequired; the proto does not require it"},
		},
		"limit in words": {
			proto: [2]string{`{gte: 0, lte: 100}`, `{gte: 0}`},
			want:  []string{get + "openapi\tquery.limit\tmaximum 100 in words"},
		},
		"limit of our own": {
			proto: [2]string{`{gte: 0, lte: 100}`, `{gte: 0, lte: 50}`},
			want:  []string{get + "proto\tquery.limit\tmaximum 50"},
		},
		"optional without presence": {
			proto: [2]string{`optional int32 limit`, `int32 limit`},
			want:  []string{get + "openapi\tquery.limit\toptional; the field has no presence"},
		},
		"body property": {
			proto: [2]string{`optional string note`, `optional string remark`},
			want:  []string{post + "openapi\tbody.note\tstring", post + "proto\tbody.remark\tstring"},
		},
		"required by the proto alone": {
			openapi: [2]string{`["role", "count", "tags"]`, `["role", "count"]`},
			want: []string{
				post + "proto\tbody.tags\toptional; the proto requires it",
			},
		},
		"null that every request sends": {
			proto:   [2]string{`.min_len = 2, (adm`, `.min_len = 2, (google.api.field_behavior) = REQUIRED, (adm`},
			openapi: [2]string{`["role", "count", "tags"]`, `["role", "count", "tags", "note"]`},
			want:    []string{""},
		},
		"null that only some requests send": {
			openapi: [2]string{`["role", "count", "tags"]`, `["role", "count", "tags", "note"]`},
			want:    []string{post + "openapi\tbody.note\trequired; the proto does not require it"},
		},
		"null": {
			proto: [2]string{`, (admingateway.options.v1.field).nullable = true`, ``},
			want:  []string{post + "openapi\tbody.note\ttakes null; the field does not send it"},
		},
		"no null": {
			openapi: [2]string{`{"anyOf": [{"type": "string", "minLength": 2}, {"type": "null"}]}`, `{"type": "string", "minLength": 2}`},
			want:    []string{post + "proto\tbody.note\ttakes no null; the field sends it"},
		},
		"enum value only in the description": {
			openapi: [2]string{`["owner", "reader"]`, `["owner", "reader", "guest"]`},
			want:    []string{post + "openapi\tbody.role\tenum value \"guest\""},
		},
		"enum value only in the proto": {
			proto: [2]string{`ROLE_READER = 2`, `ROLE_GUEST = 3 [(admingateway.options.v1.json_value) = "guest"]; ROLE_READER = 2`},
			want:  []string{post + "proto\tbody.role\tenum value \"guest\""},
		},
		"enum left open": {
			proto: [2]string{`Role role = 2 [(buf.validate.field).enum.not_in = 0]`, `string role = 2 [(buf.validate.field).required = true]`},
			want:  []string{post + "both\tbody.role\tenum; string"},
		},
		"minimum and maximum": {
			proto: [2]string{`{gte: 1, lt: 10}`, `{gt: 1, lt: 11}`},
			want:  []string{post + "both\tbody.count\tmaximum 9; 10", post + "both\tbody.count\tminimum 1; 2"},
		},
		"items": {
			proto: [2]string{`max_items: 10`, `max_items: 20`},
			want:  []string{post + "both\tbody.tags\tmaxItems 10; 20"},
		},
		"length of an item": {
			proto: [2]string{`, items: {string: {max_len: 5}}`, ``},
			want:  []string{post + "openapi\tbody.tags[]\tmaxLength 5"},
		},
		"length": {
			proto: [2]string{`(buf.validate.field).string.min_len = 2, `, ``},
			want:  []string{post + "openapi\tbody.note\tminLength 2"},
		},
		"response property": {
			proto: [2]string{`(admingateway.options.v1.field).name = "user.name"`, `deprecated = true`},
			want:  []string{post + "openapi\tresponse.user.name\tstring", post + "proto\tresponse.name\tstring"},
		},
		"response that cannot be absent": {
			proto: [2]string{`optional string name = 4`, `string name = 4`},
			want:  []string{post + "openapi\tresponse.user.name\tmay be absent or null; the field has no presence"},
		},
		"response that is never absent": {
			proto: [2]string{`string email = 1`, `optional string email = 1`},
			want:  []string{post + "proto\tresponse.email\talways present; the field is optional"},
		},
		"response wrapped": {
			proto: [2]string{` response_body: "user"`, ``},
			want: []string{
				post + "openapi\tresponse.added_at\tinstant", post + "openapi\tresponse.email\tstring",
				post + "openapi\tresponse.manager\tobject", post + "openapi\tresponse.metadata\tfree-form object",
				post + "openapi\tresponse.user.name\tstring", post + "proto\tresponse.user\tobject",
			},
		},
		"instant": {
			proto: [2]string{`google.protobuf.Timestamp added_at`, `int64 added_at`},
			want:  []string{post + "both\tresponse.added_at\tinstant; integer"},
		},
		"narrow integer in a body": {
			proto: [2]string{`int64 count = 3 [(buf.validate.field).int64`, `int32 count = 3 [(buf.validate.field).int32`},
			want:  []string{post + "both\tbody.count\tinteger; int32"},
		},
		"narrow integer in a query": {
			proto:   [2]string{`google.protobuf.Timestamp start_time = 1`, `int32 first = 1`},
			openapi: [2]string{`"name": "start_time"`, `"name": "first"`},
			want:    []string{get + "both\tquery.first\tinteger; int32"},
		},
		"narrow integer in a response": {
			proto:   [2]string{`google.protobuf.Timestamp added_at = 2`, `int32 limit = 2`},
			openapi: [2]string{`"email", "added_at"], "properties": {`, `"email", "limit"], "properties": {"limit": {"type": "integer"},`},
			want:    []string{post + "both\tresponse.limit\tinteger; int32", post + "openapi\tresponse.added_at\tinstant"},
		},
		"page size as an int64": {
			proto: [2]string{`optional int32 limit = 3 [(buf.validate.field).int32`, `optional int64 limit = 3 [(buf.validate.field).int64`},
			want:  []string{""}, // It mirrors the description as well.
		},
		"inexact number": {
			proto: [2]string{`string value = 2 [(admingateway.options.v1.field).decimal = true]`, `double value = 2`},
			want:  []string{get + "both\tresponse.data[].value\tnumber; double"},
		},
		"property of the operation's own alternative": {
			openapi: [2]string{`"value": {"type": "number"}`, `"value": {"type": "number"}, "unit": {"type": "string"}`},
			want:    []string{get + "openapi\tresponse.data[].unit\tstring"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			description := replaced(t, agreedOpenAPI, test.openapi)
			files := compiled(t, replaced(t, agreedProto, test.proto))
			got := strings.Split(strings.TrimSuffix(lines(t, []byte(description), files), "\n"), "\n")
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// replaced changes the one place in text that reads as edit[0].
func replaced(t *testing.T, text string, edit [2]string) string {
	t.Helper()
	if edit[0] == "" {
		return text
	}
	if n := strings.Count(text, edit[0]); n != 1 {
		t.Fatalf("%q is there %d times", edit[0], n)
	}
	return strings.Replace(text, edit[0], edit[1], 1)
}

func TestWhatIsNotUnderstoodIsRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		edit [2]string
		want string
	}{
		"keyword":    {[2]string{`"maxItems": 10`, `"uniqueItems": true`}, "uniqueItems"},
		"type":       {[2]string{`"format": "unixtime"`, `"type": ["integer", "string"]`}, "type is"},
		"reference":  {[2]string{`"above": {"$ref": "#/components/schemas/Manager"}`, `"above": {"$ref": "#/components/schemas/Nobody"}`}, "no such schema"},
		"header":     {[2]string{`"name": "limit", "in": "query"`, `"name": "limit", "in": "header"`}, "header"},
		"alternates": {[2]string{`["organization.usage.result"]`, `["a", "b"]`}, "no constant distinguishes"},
		"no paths":   {[2]string{`"paths"`, `"path"`}, "no paths"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := readOpenAPI(strings.NewReader(replaced(t, agreedOpenAPI, test.edit)))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("readOpenAPI = %v, want an error about %q", err, test.want)
			}
		})
	}
}
