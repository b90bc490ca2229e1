package service_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
)

// inForm asks for a list of projects in a form.
func inForm(t *testing.T, door http.Handler, form string) *httptest.ResponseRecorder {
	t.Helper()
	const path = "/admingateway.admin.v1.ProjectService/ListProjects"
	wire, err := proto.Marshal(&adminv1.ListProjectsRequest{Limit: proto.Int32(7)})
	if err != nil {
		t.Fatal(err)
	}
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, bytes.NewReader(wire))
	switch form {
	case "wire":
		request.Header.Set("Content-Type", "application/proto")
	case "message as JSON":
		request = httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(`{"limit":7}`))
		request.Header.Set("Content-Type", "application/json")
	case "upstream's JSON":
		request = httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/organization/projects?limit=7", nil)
	}
	request.Header.Set("Authorization", "Bearer "+admissiontest.TokenOf("root"))
	reply := httptest.NewRecorder()
	door.ServeHTTP(reply, request)
	if reply.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", form, reply.Code, reply.Body)
	}
	return reply
}

// TestFormsOfAStoredAnswer: a stored answer has, in each form and in whichever order these
// are asked for, the bytes that it has where nothing is stored, with the same remarks. The
// upstream is asked once.
func TestFormsOfAStoredAnswer(t *testing.T) {
	t.Parallel()
	const odd = `{"object":"list","data":[{"id":"proj_1","name":[],"created_at":7,"new":{"member":[1.0]}},{"id":"proj_2","name":"zwei \u00e9"}],"has_more":false}`
	forms := []string{"wire", "message as JSON", "upstream's JSON"}
	bare := gatewaytest.New(t, gatewaytest.WithUpstream(says(odd))).Handler()
	want := make(map[string]string)
	for _, form := range forms {
		want[form] = inForm(t, bare, form).Body.String()
	}
	if want["upstream's JSON"] != odd {
		t.Fatalf("the REST door sends %s", want["upstream's JSON"])
	}
	for _, first := range forms {
		for _, second := range forms {
			for _, third := range forms {
				g := gatewaytest.New(t, gatewaytest.WithUpstream(says(odd)), gatewaytest.WithMemoryCache())
				for _, form := range []string{first, second, third, first, second} {
					reply := inForm(t, g.Handler(), form)
					if reply.Body.String() != want[form] || reply.Header().Get(pipeline.OmittedHeader) != "data[].name" {
						t.Errorf("%s, %s, %s: %s is %q without %q, want %q", first, second, third, form,
							reply.Body, reply.Header().Get(pipeline.OmittedHeader), want[form])
					}
				}
				if asked := g.Asked.Load(); asked != 1 {
					t.Errorf("%s, %s, %s: the upstream was asked %d times", first, second, third, asked)
				}
			}
		}
	}
}
