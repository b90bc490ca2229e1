package fill_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/fill"
	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
)

func TestFieldsAreThoseOfJSON(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		request proto.Message
		text    string
		fields  []string
		want    string
	}{
		"nothing":        {&adminv1.ListProjectsRequest{}, "", nil, `{}`},
		"JSON and field": {&adminv1.ListProjectsRequest{}, `{"after": "a"}`, []string{"limit=5", "include_archived=true"}, `{"after": "a", "limit": 5, "includeArchived": true}`},
		"JSON's name":    {&adminv1.ListProjectsRequest{}, "", []string{"includeArchived=true"}, `{"includeArchived": true}`},
		"text with =":    {&adminv1.CreateProjectRequest{}, "", []string{`name=a=b"c`}, `{"name": "a=b\"c"}`},
		"an instant":     {&adminv1.ListCostsRequest{}, "", []string{"start_time=2026-01-02T03:04:05Z"}, `{"startTime": "2026-01-02T03:04:05Z"}`},
		"repeated":       {&adminv1.ListCostsRequest{}, "", []string{"project_ids=a", "project_ids=b"}, `{"projectIds": ["a", "b"]}`},
		"free-form":      {&controlv1.GetEntryRequest{}, "", []string{"method=x", `request.limit=5`, `request.deep.er="a"`}, `{"method": "x", "request": {"limit": 5, "deep": {"er": "a"}}}`},
	} {
		if err := fill.Request(test.request, test.text, test.fields); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := test.request.ProtoReflect().New().Interface()
		if err := protojson.Unmarshal([]byte(test.want), want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, test.request, protocmp.Transform()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestFaultsNameTheField(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]string{
		"limit":        "name=value",
		"=5":           "name=value",
		"limits=5":     `no field "limits": it has`,
		"limit=many":   "field limit",
		"limit.more=1": "limit has no fields",
	} {
		err := fill.Request(&adminv1.ListAuditLogsRequest{}, "", []string{field})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", field, err)
		}
	}
	unknown := new(fill.UnknownFieldError)
	if err := fill.Request(&adminv1.ListProjectsRequest{}, "", []string{"a.b=c"}); !errors.As(err, &unknown) || unknown.Name != "a" {
		t.Errorf("an unknown field: %v", err)
	}
	if err := fill.Request(&adminv1.ListProjectsRequest{}, `{"limits": 1}`, nil); err == nil || !strings.Contains(err.Error(), "limits") {
		t.Errorf("an unknown field of JSON: %v", err)
	}
}

// FuzzFields: no assignment makes it panic, and none changes a field that it does not
// name.
func FuzzFields(f *testing.F) {
	for _, seed := range []string{"limit=5", "after=x", "a.b=c", "limit={", "after=\xff", "effective_at.gt=1", "=", "."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, assignment string) {
		request := &adminv1.ListAuditLogsRequest{Limit: proto.Int32(7)}
		if err := fill.Request(request, "", []string{assignment}); err != nil {
			return
		}
		if name, _, _ := strings.Cut(assignment, "="); name != "limit" && request.GetLimit() != 7 {
			t.Errorf("%q changed the limit to %d", assignment, request.GetLimit())
		}
	})
}
