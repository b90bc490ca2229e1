package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Three descriptions of one operation with unions, a choice and a map, which agree. Each
// case of TestEachKindOfVariant changes one of them in one place.
const (
	variantOpenAPI = `{
	"paths": {"/vaults/{vault_id}": {"post": {
		"parameters": [{"name": "vault_id", "in": "path", "required": true, "schema": {"type": "string"}}],
		"requestBody": {"content": {"application/json": {"schema": {"anyOf": [
			{"type": "object", "required": ["type", "arn", "name"], "properties": {
				"type": {"type": "string", "enum": ["aws"]},
				"arn": {"type": "string"},
				"name": {"type": "string"},
				"purpose": {"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "string", "enum": ["b"]}]}}},
			{"type": "object", "required": ["type", "name"], "properties": {
				"type": {"type": "string", "enum": ["gcp"]},
				"ring": {"type": "string"},
				"name": {"type": "string"},
				"purpose": {"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "string", "enum": ["b"]}]}}}]}}}},
		"responses": {"200": {"content": {"application/json": {"schema": {
			"type": "object", "required": ["type", "tiers", "matchers", "tags"], "properties": {
				"type": {"type": "string", "enum": ["aws", "gcp"]},
				"arn": {"type": "string"},
				"ring": {"type": "string"},
				"tags": {"type": "array", "items": {"type": "string"}},
				"tiers": {"anyOf": [{"type": "string", "enum": ["all"]}, {"type": "array", "items": {"type": "string"}}]},
				"matchers": {"type": "object", "additionalProperties": {
					"anyOf": [{"type": "string"}, {"type": "boolean"}, {"type": "number"}]}}
			}}}}}}
	}}}}`

	variantSDK = `package openai

	func (r *AdminVaultService) New(ctx context.Context, vaultID string, body AdminVaultNewParams, opts ...option.RequestOption) (res *Vault, err error) {
		if vaultID == "" {
			return nil, errors.New("missing required vault_id parameter")
		}
		path := requestconfig.FormatPath("vaults/%s", vaultID)
		return res, requestconfig.ExecuteNewRequest(ctx, http.MethodPost, path, body, &res, opts...)
	}
	func (r *AdminVaultService) NewAutoPaging() {}

	type AdminVaultNewParams struct {
		OfAws *AwsParams ` + "`json:\",inline\"`" + `
		OfGcp *GcpParams ` + "`json:\",inline\"`" + `
		paramUnion
	}
	type AwsParams struct {
		Common
		Arn  string ` + "`json:\"arn\" api:\"required\"`" + `
		Type constant.Aws ` + "`json:\"type\" default:\"aws\"`" + `
		paramObj
	}
	type GcpParams struct {
		Common
		Ring param.Opt[string] ` + "`json:\"ring,omitzero\"`" + `
		Type constant.Gcp ` + "`json:\"type\" default:\"gcp\"`" + `
	}
	type Common struct {
		Name string ` + "`json:\"name\" api:\"required\"`" + `
		// What it is for.
		//
		// Any of "a",
		// "b".
		Purpose param.Opt[string] ` + "`json:\"purpose,omitzero\"`" + `
	}
	type Vault struct {
		Type VaultType ` + "`json:\"type\" api:\"required\"`" + `
		Arn string ` + "`json:\"arn\"`" + `
		Ring string ` + "`json:\"ring\"`" + `
		Tags []string ` + "`json:\"tags\" api:\"required\"`" + `
		Tiers VaultTiersUnion ` + "`json:\"tiers\" api:\"required\"`" + `
		Matchers map[string]MatcherUnion ` + "`json:\"matchers\" api:\"required\"`" + `
		JSON struct{ raw string } ` + "`json:\"-\"`" + `
	}
	type VaultType string
	const (
		VaultTypeAws VaultType = "aws"
		VaultTypeGcp VaultType = "gcp"
	)
	type VaultTiersUnion struct{}
	func (u VaultTiersUnion) AsAll() (v constant.All) { return }
	func (u VaultTiersUnion) AsList() (v []string) { return }
	func (u VaultTiersUnion) AsAny() any { return nil }
	type MatcherUnion struct {
		OfString param.Opt[string] ` + "`json:\",omitzero,inline\"`" + `
		OfBool   param.Opt[bool] ` + "`json:\",omitzero,inline\"`" + `
		OfFloat  param.Opt[float64] ` + "`json:\",omitzero,inline\"`" + `
	}`

	variantConstants = `package constant

	type All string
	func (c Aws) Default() Aws { return "aws" }
	type Aws string
	func (c All) Default() All { return "all" }
	type Gcp string
	func (c Gcp) Default() Gcp { return "gcp" }`

	variantProto = `
	service Vaults {
		rpc Update(UpdateVaultRequest) returns (UpdateVaultResponse) {
			option (google.api.http) = {post: "/vaults/{vault_id}" body: "*" response_body: "vault"};
		}
	}
	message UpdateVaultRequest {
		string vault_id = 1 [(buf.validate.field).string.(admingateway.options.v1.path_id) = true];
		string name = 2 [(buf.validate.field).string.min_len = 1];
		optional Purpose purpose = 3;
		oneof provider {
			option (buf.validate.oneof).required = true;
			option (admingateway.options.v1.union).discriminator = "type";
			Aws aws = 4;
			GcpRequest google = 5 [(admingateway.options.v1.field).name = "gcp"];
		}
		google.protobuf.Timestamp ends_at = 6 [(admingateway.options.v1.field).ends = "seconds"];
		bool allow_all = 7 [(admingateway.options.v1.field).consent = {to_empty: "tags" permission: "vaults.open"}];
	}
	message UpdateVaultResponse { Vault vault = 1; }
	message Aws { string arn = 1 [(buf.validate.field).string.min_len = 1]; }
	message GcpRequest { optional string ring = 1; }
	message Gcp { string ring = 1; }
	message Vault {
		oneof provider {
			option (admingateway.options.v1.union).discriminator = "type";
			Aws aws = 1;
			Gcp gcp = 2;
		}
		Tiers tiers = 3;
		map<string, Matcher> matchers = 4;
		repeated string tags = 5;
	}
	message Tiers {
		option (admingateway.options.v1.json_choice) = true;
		oneof value { string word = 1 [(buf.validate.field).string.const = "all"]; Names names = 2; }
	}
	message Names {
		option (admingateway.options.v1.json_array) = true;
		repeated string values = 1;
	}
	message Matcher {
		option (admingateway.options.v1.json_choice) = true;
		oneof value { string text = 1; bool flag = 2; int64 whole = 3; double number = 4; }
	}
	enum Purpose {
		PURPOSE_UNSPECIFIED = 0;
		PURPOSE_A = 1 [(admingateway.options.v1.json_value) = "a"];
		PURPOSE_B = 2 [(admingateway.options.v1.json_value) = "b"];
	}`
)

func TestEachKindOfVariant(t *testing.T) {
	t.Parallel()
	const post = "POST /vaults/{vault_id}\t"
	for name, test := range map[string]struct {
		proto [2]string // Old and new text.
		want  []string  // Lines, in which VENDOR stands for openapi or sdk.
	}{
		"none":               {},
		"variant":            {[2]string{`GcpRequest google = 5 [(admingateway.options.v1.field).name = "gcp"];`, ``}, []string{post + `VENDOR	body	alternative "gcp"`}},
		"variant's constant": {[2]string{`.name = "gcp"`, `.name = "google"`}, []string{post + `VENDOR	body	alternative "gcp"`, post + `proto	body	alternative "google"`}},
		"member of a variant": {
			[2]string{`optional string ring = 1;`, ``},
			[]string{post + "VENDOR\tbody(gcp).ring\tstring"},
		},
		"member of all variants": {
			[2]string{`optional Purpose purpose = 3;`, ``},
			[]string{post + "VENDOR\tbody(aws).purpose\tenum", post + "VENDOR\tbody(gcp).purpose\tenum"},
		},
		"value in all variants": {
			[2]string{`PURPOSE_B = 2 [(admingateway.options.v1.json_value) = "b"];`, ``},
			[]string{post + `VENDOR	body(aws).purpose	enum value "b"`, post + `VENDOR	body(gcp).purpose	enum value "b"`},
		},
		"member of a variant, in a flat answer":   {[2]string{`message Gcp { string ring = 1; }`, `message Gcp {}`}, []string{post + "VENDOR\tresponse.ring\tstring"}},
		"constant of a variant, in a flat answer": {[2]string{`Gcp gcp = 2;`, `Gcp google = 2;`}, []string{post + `VENDOR	response.type	enum value "gcp"`, post + `proto	response.type	enum value "google"`}},
		"field of our own that is sent": {
			[2]string{`.ends = "seconds"`, `.nullable = false`},
			[]string{post + "proto\tbody(aws).ends_at\tinstant", post + "proto\tbody(gcp).ends_at\tinstant"},
		},
		"consent that is sent": {
			[2]string{`.consent = {to_empty: "tags" permission: "vaults.open"}`, `.nullable = false`},
			[]string{post + "proto\tbody(aws).allow_all\tboolean", post + "proto\tbody(gcp).allow_all\tboolean"},
		},
		"type of a choice":  {[2]string{`Names names = 2;`, ``}, []string{post + `VENDOR	response.tiers	alternative "array"`}},
		"word of a choice":  {[2]string{`const = "all"`, `const = "every"`}, []string{post + `VENDOR	response.tiers(string)	enum value "all"`, post + `proto	response.tiers(string)	enum value "every"`}},
		"type of ours":      {[2]string{`Names names = 2;`, `Names names = 2; bool none = 3;`}, []string{post + `proto	response.tiers	alternative "boolean"`}},
		"value of a map":    {[2]string{`double number = 4;`, ``}, []string{post + `VENDOR	response.matchers.*	alternative "number"`, post + `proto	response.matchers.*	alternative "integer"`}},
		"map that is none":  {[2]string{`map<string, Matcher> matchers`, `google.protobuf.Struct matchers`}, []string{post + "both\tresponse.matchers\tmap; free-form object"}},
		"choice that is no": {[2]string{`Tiers tiers = 3;`, `string tiers = 3;`}, []string{post + "both\tresponse.tiers\tchoice of types; string"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := compiled(t, replaced(t, variantProto, test.proto))
			for side, got := range map[side][]string{
				onlyOpenAPI: strings.Split(strings.TrimSuffix(lines(t, []byte(variantOpenAPI), files), "\n"), "\n"),
				onlySDK:     sdkLines(t, sdkOf(t, variantSDK), nil, files),
			} {
				want := strings.Split(strings.ReplaceAll(strings.Join(test.want, "\n"), "VENDOR", string(side)), "\n")
				slices.Sort(want)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", side, diff)
				}
			}
		})
	}
}

// A union without its oneof's rule takes a request without the discriminator.
func TestUnionIsRequired(t *testing.T) {
	t.Parallel()
	files := compiled(t, replaced(t, variantProto, [2]string{"option (buf.validate.oneof).required = true;", ""}))
	const want = "POST /vaults/{vault_id}\topenapi\tbody(aws).type\trequired; the proto does not require it\n" +
		"POST /vaults/{vault_id}\topenapi\tbody(gcp).type\trequired; the proto does not require it\n"
	if diff := cmp.Diff(want, lines(t, []byte(variantOpenAPI), files)); diff != "" {
		t.Error(diff)
	}
}
