package openapi

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi-validator/config"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	_ "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1" // the files that are described
	"github.com/admin-gateway/admin-gateway/internal/schema"
	"github.com/admin-gateway/admin-gateway/proto"
	"github.com/admin-gateway/admin-gateway/sandbox"
)

// describe is the gateway's description of its REST door, decoded.
func describe(t *testing.T) map[string]any {
	t.Helper()
	var files []protoreflect.FileDescriptor
	protoregistry.GlobalFiles.RangeFilesByPackage("admingateway.admin.v1", func(file protoreflect.FileDescriptor) bool {
		files = append(files, file)
		return true
	})
	described, err := schema.New(t.Context(), files, proto.Sources)
	if err != nil {
		t.Fatal(err)
	}
	text, err := described.OpenAPI("test")
	if err != nil {
		t.Fatal(err)
	}
	var root map[string]any
	if err := json.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	return root
}

// loadGateway reads the gateway's description, strictly. It needs no correction.
// Answers are validated by their bodies, which are the upstream's, and not by their
// headers, which at the REST door are the gateway's.
func loadGateway(t *testing.T) *description {
	t.Helper()
	d := build(t, describe(t), config.WithStrictMode())
	d.bodyAlone = true
	return d
}

// The document as a whole is OpenAPI 3.1, by the specification's own schema.
func TestTheGatewaysDescriptionIsOpenAPI(t *testing.T) {
	t.Parallel()
	d := loadGateway(t)
	valid, faults := d.validator.ValidateDocument()
	for _, fault := range faults {
		t.Errorf("%s: %s", fault.Message, fault.Reason)
		for _, detail := range fault.SchemaValidationErrors {
			t.Errorf("\t%s at %s", detail.Reason, detail.FieldPath)
		}
	}
	if !valid && len(faults) == 0 {
		t.Error("the document is not valid")
	}
}

// Answers of the sandbox are valid by the gateway's description, as they are by the
// vendor's. The REST door answers with the bytes that the upstream sent.
func TestSandboxKeepsToTheGatewaysDescription(t *testing.T) {
	t.Parallel()
	newDriver(t, loadGateway(t), sandbox.Options{Seed: 7}).everything()
}

// The gateway's description finds the same wrong answers as the vendor's.
func TestTheGatewaysDescriptionFindsWrongAnswers(t *testing.T) {
	t.Parallel()
	described := loadGateway(t)
	d := newDriver(t, described, sandbox.Options{Users: 3, Projects: 2})
	for _, tt := range []struct{ name, old, replacement string }{
		{"null for a string", `"redacted_value":"`, `"redacted_value":null,"x-old":"`},
		{"missing member", `"has_more":`, `"had_more":`},
		{"another type", `"created_at":`, `"created_at":"`},
	} {
		got := d.send(http.MethodGet, "/organization/admin_api_keys", "")
		wrong := got
		wrong.body = bytes.Replace(got.body, []byte(tt.old), []byte(tt.replacement), 1)
		if bytes.Equal(wrong.body, got.body) {
			t.Fatalf("%s: nothing to replace in %s", tt.name, got.body)
		}
		if len(described.check(t, wrong)) == 0 {
			t.Errorf("%s: accepted %s", tt.name, wrong.body)
		}
	}
}

// Requests are described too: those that the REST door accepts are valid, and those
// that it refuses are not.
func TestRequestsAgainstTheGatewaysDescription(t *testing.T) {
	t.Parallel()
	// Not strict: that mode knows no deepObject.
	d := build(t, describe(t))
	for _, tt := range []struct {
		verb, path, body string
		valid            bool
	}{
		{"GET", "/organization/projects?limit=2&include_archived=true", "", true},
		{"GET", "/organization/projects?limit=101", "", false},
		{"GET", "/organization/projects?limit=many", "", false},
		{"GET", "/organization/audit_logs?effective_at[gte]=1711471533&project_ids[]=proj_a&project_ids[]=proj_b", "", true},
		{"GET", "/organization/costs?start_time=1711471533&bucket_width=1d&group_by[]=project_id", "", true},
		{"GET", "/organization/costs?bucket_width=1d", "", false},
		{"POST", "/organization/projects", `{"name":"a","residency":"GLOBAL"}`, true},
		{"POST", "/organization/projects", `{"residency":"GLOBAL"}`, false},
		{"POST", "/organization/projects", `{"name":"a","colour":"red"}`, false},
		{"POST", "/organization/projects", `{"name":"a","residency":"MARS"}`, false},
		{"POST", "/organization/projects/proj_a", `{"name":null}`, true},
		{"POST", "/organization/projects", `{"name":null}`, false},
		{"POST", "/organization/certificates/activate", `{"certificate_ids":[]}`, false},
	} {
		request, err := http.NewRequestWithContext(t.Context(), tt.verb, "http://127.0.0.1:8080/v1"+tt.path, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer token")
		if tt.body != "" {
			request.Header.Set("Content-Type", "application/json")
			request.Header.Set("Idempotency-Key", "k")
		}
		valid, faults := d.validator.ValidateHttpRequest(request)
		if valid != tt.valid {
			t.Errorf("%s %s %s: valid is %t", tt.verb, tt.path, tt.body, valid)
			for _, fault := range faults {
				t.Errorf("\t%s: %s", fault.Message, fault.Reason)
			}
		}
		_, _ = io.Copy(io.Discard, request.Body)
	}
}
