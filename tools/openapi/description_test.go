package openapi

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	validation "github.com/pb33f/libopenapi-validator/errors"

	"github.com/admin-gateway/admin-gateway/internal/openapitest"
)

// defaultDescription is where the description lies beside a checkout of the
// project that has one.
const defaultDescription = "../../../shared/upstream/admin-openapi-2026-11.json"

// description is the vendor's description, ready to judge answers.
type description struct {
	validator validator.Validator
	// bodyAlone leaves the headers of answers out.
	bodyAlone  bool
	operations []string // "GET /organization/users/{user_id}"
}

// load reads the description and corrects its errors. It skips the test where there is
// none.
func load(t *testing.T) *description {
	t.Helper()
	raw := openapitest.Description(t, defaultDescription)
	var root map[string]any
	if err := json.Unmarshal(raw, &root); err != nil {
		t.Fatal(err)
	}
	normalise(t, root)
	// Strict: a member that the description does not declare is an error too.
	return build(t, root, config.WithStrictMode())
}

// build makes a judge of a description.
func build(t *testing.T, root map[string]any, options ...config.Option) *description {
	t.Helper()
	raw, err := json.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	document, err := libopenapi.NewDocument(raw)
	if err != nil {
		t.Fatal(err)
	}
	v, errs := validator.NewValidator(document, options...)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	t.Cleanup(v.Release)
	d := &description{validator: v}
	for path, item := range member(t, root, "paths") {
		methods, _ := item.(map[string]any)
		for method := range methods {
			d.operations = append(d.operations, strings.ToUpper(method)+" "+path)
		}
	}
	return d
}

// normalise corrects the places where the description differs from the API.
func normalise(t *testing.T, root map[string]any) {
	t.Helper()
	// The description calls a cost's value a number. The API sends a string of
	// some twenty digits, which a number could not carry exactly.
	schemas := member(t, root, "components", "schemas")
	value := member(t, schemas, "CostsResult", "properties", "amount", "properties", "value")
	value["type"] = []any{"number", "string"}

	// OpenAPI 3.1 allows a description beside a reference; the validator then
	// forgets the reference.
	bareReferences(root)

	// The validator's strict mode knows no member that a choice within a choice
	// declares.
	flatChoices(root)
}

// flatChoices replaces each choice within a choice by its alternatives, which means
// the same.
func flatChoices(v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, inner := range v {
			flatChoices(inner)
		}
		if choices, ok := v["anyOf"].([]any); ok {
			var flat []any
			for _, choice := range choices {
				if inner, ok := choice.(map[string]any); ok && inner["anyOf"] != nil && len(inner) == 1 {
					alternatives, _ := inner["anyOf"].([]any)
					flat = append(flat, alternatives...)
					continue
				}
				flat = append(flat, choice)
			}
			v["anyOf"] = flat
		}
	case []any:
		for _, inner := range v {
			flatChoices(inner)
		}
	}
}

func bareReferences(v any) {
	switch v := v.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok {
			clear(v)
			v["$ref"] = ref
			return
		}
		for _, inner := range v {
			bareReferences(inner)
		}
	case []any:
		for _, inner := range v {
			bareReferences(inner)
		}
	}
}

// member walks down objects by name.
func member(t *testing.T, at map[string]any, names ...string) map[string]any {
	t.Helper()
	for _, name := range names {
		next, ok := at[name].(map[string]any)
		if !ok {
			t.Fatalf("the description has no %q in %v", name, names)
		}
		at = next
	}
	return at
}

// freeForm is where in an answer the description allows any member, by
// additionalProperties or by saying no more than "object". Strict validation
// would have every one of them declared.
var freeForm = regexp.MustCompile(`\.(created_by_user_obj|metadata|attribute_matchers|jwks)\.` +
	`|\['(external_key\.registered|workload_identity_provider(_mapping)?\.(created|updated))'\]\.(data|changes_requested)\.`)

// answer is a response that has been read.
type answer struct {
	request *http.Request
	status  int
	header  http.Header
	body    []byte
}

// check validates an answer against the description.
func (d *description) check(t *testing.T, a answer) []*validation.ValidationError {
	t.Helper()
	header := a.header
	if d.bodyAlone {
		header = http.Header{"Content-Type": header["Content-Type"]}
	}
	response := &http.Response{
		StatusCode: a.status, Header: header, Request: a.request,
		Body: io.NopCloser(bytes.NewReader(a.body)),
	}
	ok, faults := d.validator.ValidateHttpResponse(a.request, response)
	if ok && len(faults) > 0 {
		t.Fatalf("the validator is of two minds: %v", faults)
	}
	return slices.DeleteFunc(faults, func(fault *validation.ValidationError) bool {
		return fault.ValidationType == validation.StrictValidationType && freeForm.MatchString(fault.Message)
	})
}
