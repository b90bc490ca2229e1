package service_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/upstream/adminjson"
)

const (
	descriptionFile = "../../shared/upstream/admin-openapi-2026-11.json"
	// documentedExamples is how many the description has: one that a change of
	// its shape hides from this test must not pass for a success.
	documentedExamples = 172
)

// description is what this test reads of the vendor's OpenAPI file.
type description struct {
	Paths      map[string]map[string]json.RawMessage `json:"paths"`
	Components struct {
		Schemas map[string]struct {
			Example *string `json:"x-example"`
		} `json:"schemas"`
	} `json:"components"`
}

// schemaMessages names the messages whose schema has another name.
var schemaMessages = map[string]protoreflect.Name{
	"CreateGroupBody":                       "CreateGroupRequest",
	"CreateGroupUserBody":                   "AddGroupUserRequest",
	"DeletedRoleAssignmentResource":         "UnassignGroupRoleResponse",
	"Group":                                 "AssigneeGroup", // A group that has a role; elsewhere the description has GroupResponse.
	"GroupDeletedResource":                  "DeleteGroupResponse",
	"GroupListResource":                     "ListGroupsResponse",
	"GroupMemberUser":                       "GroupMember",
	"GroupResourceWithSuccess":              "Group",
	"GroupResponse":                         "Group",
	"GroupUserDeletedResource":              "RemoveGroupUserResponse",
	"InviteProjectGroupBody":                "AddProjectGroupRequest",
	"OrganizationDataRetention":             "DataRetention",
	"OrganizationSpendAlert":                "SpendAlert",
	"ProjectGroupDeletedResource":           "RemoveProjectGroupResponse",
	"ProjectGroupListResource":              "ListProjectGroupsResponse",
	"ProjectModelPermissionsDeleteResponse": "DeleteProjectModelPermissionsResponse",
	"ProjectSpendAlert":                     "SpendAlert",
	"PublicAssignOrganizationGroupRoleBody": "AssignGroupRoleRequest",
	"PublicCreateOrganizationRoleBody":      "CreateRoleRequest",
	"PublicRoleListResource":                "ListRolesResponse",
	"PublicUpdateOrganizationRoleBody":      "UpdateRoleRequest",
	"RoleDeletedResource":                   "DeleteRoleResponse",
	"RoleListResource":                      "ListGroupRolesResponse",
	"UpdateGroupBody":                       "UpdateGroupRequest",
	"UsageAudioSpeechesResult":              "AudioSpeechesUsageResult",
	"UsageAudioTranscriptionsResult":        "AudioTranscriptionsUsageResult",
	"UsageCodeInterpreterSessionsResult":    "CodeInterpreterSessionsUsageResult",
	"UsageCompletionsResult":                "CompletionsUsageResult",
	"UsageEmbeddingsResult":                 "EmbeddingsUsageResult",
	"UsageFileSearchCallsResult":            "FileSearchCallsUsageResult",
	"UsageImagesResult":                     "ImagesUsageResult",
	"UsageModerationsResult":                "ModerationsUsageResult",
	"UsageVectorStoresResult":               "VectorStoresUsageResult",
	"UsageWebSearchCallsResult":             "WebSearchCallsUsageResult",
	"UserListResource":                      "ListGroupUsersResponse",
}

// TestDocumentedExamples decodes every example of the vendor's description and
// encodes it again. Whatever the vendor documents must come out as it went in.
func TestDocumentedExamples(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(descriptionFile)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the vendor's description is not part of the project, and %s does not exist", descriptionFile)
	}
	if err != nil {
		t.Fatal(err)
	}
	var api description
	if err := json.Unmarshal(text, &api); err != nil {
		t.Fatal(err)
	}
	methods := catalogtest.Gateway(t)
	ran := 0
	for _, m := range methods.Mirrored() {
		var operation struct {
			Example *string `json:"x-example"`
		}
		raw, ok := api.Paths[m.Endpoint.Template()][strings.ToLower(m.Endpoint.Verb())]
		if !ok {
			t.Errorf("%s: the description has no %s", m.ShortName(), m.Endpoint)
			continue
		}
		if err := json.Unmarshal(raw, &operation); err != nil {
			t.Fatal(err)
		}
		if operation.Example != nil {
			ran++
			t.Run(m.ShortName(), func(t *testing.T) {
				t.Parallel()
				throughMethod(t, m, withoutTrailingCommas(*operation.Example))
			})
		}
	}
	for name, schema := range api.Components.Schemas {
		if schema.Example != nil {
			ran++
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				throughSchema(t, name, withoutTrailingCommas(*schema.Example))
			})
		}
	}
	if ran != documentedExamples {
		t.Errorf("ran %d examples, want %d", ran, documentedExamples)
	}
}

// throughMethod takes an answer the way that the gateway takes it.
func throughMethod(t *testing.T, m *catalog.Method, example []byte) {
	t.Helper()
	answer, err := m.Endpoint.Decode(example)
	if err != nil {
		t.Fatal(err)
	}
	response := m.Response.New()
	if err := proto.Unmarshal(answer.Wire, response.Interface()); err != nil {
		t.Fatal(err)
	}
	var options []adminjson.Option
	rule, _ := proto.GetExtension(m.Descriptor.Options(), annotations.E_Http).(*annotations.HttpRule)
	if name := rule.GetResponseBody(); name != "" {
		options = append(options, adminjson.In(protoreflect.Name(name)))
	}
	codec, err := adminjson.Compile(m.Response.Descriptor(), options...)
	if err != nil {
		t.Fatal(err)
	}
	wantLeaves(t, codec, response, example)
}

// throughSchema takes the example of a schema through the message that mirrors
// it.
func throughSchema(t *testing.T, schema string, example []byte) {
	t.Helper()
	name, ok := schemaMessages[schema]
	if !ok {
		name = protoreflect.Name(schema)
	}
	kind, err := protoregistry.GlobalTypes.FindMessageByName(catalog.MirrorPackage.Append(name))
	if err != nil {
		t.Fatalf("the schema %s has no message: %v", schema, err)
	}
	codec, err := adminjson.Compile(kind.Descriptor())
	if err != nil {
		t.Fatal(err)
	}
	message := kind.New()
	if err := codec.Unmarshal(example, message.Interface()); err != nil {
		t.Fatal(err)
	}
	wantLeaves(t, codec, message, example)
}

// wantLeaves encodes m, and wants every value of the example in it.
func wantLeaves(t *testing.T, codec *adminjson.Codec, m protoreflect.Message, example []byte) {
	t.Helper()
	encoded, err := codec.AppendJSON(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range lost("$", decodeJSON(t, example), decodeJSON(t, encoded)) {
		t.Error(fault)
	}
}

// lost lists what want has and got lacks or has otherwise. A null may be
// absent; members may be added.
func lost(path string, want, got any) []string {
	switch want := want.(type) {
	case nil:
		if got != nil {
			return []string{fmt.Sprintf("%s: got %v, want null or nothing", path, got)}
		}
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s: got %v, want an object", path, got)}
		}
		var faults []string
		for name, value := range want {
			faults = append(faults, lost(path+"."+name, value, object[name])...)
		}
		slices.Sort(faults)
		return faults
	case []any:
		list, _ := got.([]any) // An empty list may be absent.
		if len(list) != len(want) {
			return []string{fmt.Sprintf("%s: got %d elements, want %d", path, len(list), len(want))}
		}
		var faults []string
		for i := range want {
			faults = append(faults, lost(fmt.Sprintf("%s[%d]", path, i), want[i], list[i])...)
		}
		return faults
	default:
		if want != got && !sameNumber(want, got) {
			return []string{fmt.Sprintf("%s: got %v, want %v", path, got, want)}
		}
	}
	return nil
}

// sameNumber compares two JSON numbers as exact decimals.
func sameNumber(a, b any) bool {
	x, xIs := a.(json.Number)
	y, yIs := b.(json.Number)
	if !xIs || !yIs {
		return false
	}
	p, pOK := new(big.Rat).SetString(x.String())
	q, qOK := new(big.Rat).SetString(y.String())
	return pOK && qOK && p.Cmp(q) == 0
}

// withoutTrailingCommas makes JSON of what the description holds: many of its
// examples have a comma behind the last member or element. Strings are left as
// they are.
func withoutTrailingCommas(example string) []byte {
	var (
		out             = make([]byte, 0, len(example))
		quoted, escaped bool
	)
	for i := range len(example) {
		c := example[i]
		switch {
		case escaped:
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			rest := strings.TrimLeft(example[i+1:], " \t\r\n")
			if strings.HasPrefix(rest, "}") || strings.HasPrefix(rest, "]") {
				continue
			}
		}
		out = append(out, c)
	}
	return out
}
