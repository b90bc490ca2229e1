package service_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	"github.com/admin-gateway/admin-gateway/sandbox"
)

// TestStorageOfManyPages: a list that names no cursor goes on behind its last item,
// in a stream and in a resumed one.
func TestStorageOfManyPages(t *testing.T) {
	t.Parallel()
	const listStorage, made = "GET /organization/external_storage", 230
	gw := newTourGateway(t, sandbox.Options{Users: 8, Projects: 4, AuditEvents: 10})
	projects := gw.projects(t)
	storage := adminv1connect.NewExternalStorageServiceClient(gw.Client("root"))
	for i := range made {
		if _, err := storage.CreateExternalStorageConfiguration(t.Context(), &adminv1.CreateExternalStorageConfigurationRequest{
			ProjectId: projects[i%2],
			Provider: &adminv1.NewExternalStorageProvider{Storage: &adminv1.NewExternalStorageProvider_Aws{Aws: &adminv1.NewAwsExternalStorage{
				Bucket: fmt.Sprint("bucket-", i), RoleArn: "arn:aws:iam::123456789012:role/storage",
			}}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	method := inventoryOf(t, gw.Catalog, "ListExternalStorage")
	var order []string
	owners := make(map[string]string)
	var whole streamed
	whole.onItem = func(item proto.Message) {
		if one, ok := item.(*adminv1.ExternalStorage); ok {
			order = append(order, one.GetId())
			owners[one.GetId()] = one.GetProjectId()
		}
	}
	before := gw.Sandbox.Count(listStorage)
	err := gw.streamInto(t.Context(), &whole, doors[0], "root", method, anyRequest(method))
	if err != nil || whole.end.GetComplete() == nil || len(owners) != len(order) || len(order) <= made {
		t.Fatalf("%v of %d, %v", whole, made, err)
	}
	if n := gw.Sandbox.Count(listStorage) - before; n != 3 {
		t.Errorf("%d pages", n)
	}
	if after := gw.lastQuery(t, listStorage).Get("after"); after != order[199] {
		t.Errorf("the last page is behind %q, want %q", after, order[199])
	}

	gw.Sandbox.Inject(sandbox.Fault{Op: listStorage, Kind: sandbox.Refuse, Status: 404, After: 1, Times: 1})
	first, err := gw.stream(t.Context(), doors[0], "root", method, anyRequest(method))
	if err != nil || len(first.failures) != 1 || len(first.items) != 100 {
		t.Fatalf("%v, %v", first, err)
	}
	again, err := gw.stream(t.Context(), doors[0], "root", method, with(anyRequest(method), "resume_token", first.incomplete().GetResumeToken()))
	if err != nil || again.end.GetComplete() == nil || again.end.GetCalls() != 2 {
		t.Errorf("resumed: %v, %v", again, err)
	}
	first.add(again)
	same(t, "resumed", whole.items, first.items)

	// A limited caller names one of its projects.
	gw.Policy.Set(t, `
callers:
  - name: scoped
    authenticate: [{token_sha256: $scoped}]
    grants: [{permissions: ["*"], projects: [`+projects[0]+`]}]
    limits: $free
`)
	maps.DeleteFunc(owners, func(_, project string) bool { return project != projects[0] })
	mine, err := gw.stream(t.Context(), doors[0], "scoped", method, with(anyRequest(method), "project_id", projects[0]))
	if err != nil || mine.end.GetComplete() == nil || len(mine.items) != len(owners) || len(owners) >= len(order) {
		t.Errorf("limited: %v, want %d items, %v", mine, len(owners), err)
	}
	if got, err := gw.stream(t.Context(), doors[0], "scoped", method, with(anyRequest(method), "project_id", projects[1])); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("another's project: %v, %v", got, err)
	}
}

// TestRulesOfAFailingProvider: the failure names the provider, and resuming reads
// its rules alone.
func TestRulesOfAFailingProvider(t *testing.T) {
	t.Parallel()
	gw := newTourGateway(t, sandbox.Options{})
	method := inventoryOf(t, gw.Catalog, "ListFederationRules")
	whole, err := gw.stream(t.Context(), doors[0], "root", method, anyRequest(method))
	if err != nil || whole.end.GetComplete() == nil || len(whole.names) < 3 {
		t.Fatalf("%v, %v", whole, err)
	}
	if n := slices.Collect(maps.Values(whole.names)); slices.Max(n) != 1 {
		t.Errorf("pages by provider: %v", whole.names)
	}
	gw.Sandbox.Inject(sandbox.Fault{
		Op: "GET /organization/workload_identity_providers/{workload_identity_provider_id}/federation_rules", Kind: sandbox.Refuse, Status: 404, Times: 1,
	})
	first, err := gw.stream(t.Context(), doors[0], "root", method, anyRequest(method))
	if err != nil || len(first.failures) != 1 {
		t.Fatalf("%v, %v", first, err)
	}
	provider := first.failures[0].GetWorkloadIdentityProviderId()
	if _, known := whole.names[provider+"/"]; !known || first.names[provider+"/"] != 0 {
		t.Errorf("%v of %v", first.failures[0], whole.names)
	}
	again, err := gw.stream(t.Context(), doors[0], "root", method, with(anyRequest(method), "resume_token", first.incomplete().GetResumeToken()))
	if err != nil || again.end.GetComplete() == nil || again.end.GetCalls() != 1 || again.names[provider+"/"] != 1 {
		t.Errorf("resumed: %v, %v", again, err)
	}
	first.add(again)
	same(t, "resumed", whole.items, first.items)
}
