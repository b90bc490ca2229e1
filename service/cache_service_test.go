package service_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1/controlv1connect"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/internal/redistest"
)

const getProjectName = "admingateway.admin.v1.ProjectService/GetProject"

func entryOf(t *testing.T, method string, request map[string]any) *controlv1.GetEntryRequest {
	t.Helper()
	fields, err := structpb.NewStruct(request)
	if err != nil {
		t.Fatal(err)
	}
	return &controlv1.GetEntryRequest{Method: method, Request: fields}
}

// TestGetEntry: the age and the place of a stored answer, and nothing else.
func TestGetEntry(t *testing.T) {
	t.Parallel()
	h := newAgingGateway(t)
	client := controlv1connect.NewCacheServiceClient(gatewaytest.As("root", h.InProcess()))
	look := func(request *controlv1.GetEntryRequest) []*controlv1.GetEntryResponse_Copy {
		t.Helper()
		got, err := client.GetEntry(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		return got.GetCopies()
	}
	asked := entryOf(t, getProjectName, map[string]any{"project_id": "p"})
	if got := look(asked); len(got) != 0 {
		t.Errorf("before it was asked for: %v", got)
	}
	h.read("root", "ProjectService/GetProject", askedProject)
	h.advance(10 * time.Second)
	for _, state := range []controlv1.GetEntryResponse_State{controlv1.GetEntryResponse_STATE_FRESH, controlv1.GetEntryResponse_STATE_STALE} {
		got := look(asked)
		if len(got) != 1 || got[0].GetState() != state || got[0].GetStore() != controlv1.GetEntryResponse_STORE_MEMORY ||
			got[0].GetAge().AsDuration() != h.now().Sub(h.start) || got[0].GetFresh().AsDuration() != projectLife ||
			!got[0].GetStoredAt().AsTime().Equal(h.start) || got[0].GetSizeBytes() != int64(len(`{"id": "p", "data": [], "name": "x"}`)) {
			t.Errorf("want %s: %v", state, got)
		}
		h.advance(projectLife)
	}
	if got := look(entryOf(t, "ProjectService/GetProject", map[string]any{"project_id": "p"})); len(got) != 1 {
		t.Errorf("by its short name: %v", got)
	}
	if got := look(entryOf(t, "/"+getProjectName, map[string]any{"project_id": "q"})); len(got) != 0 {
		t.Errorf("of another request: %v", got)
	}
	for field, request := range map[string]*controlv1.GetEntryRequest{
		"method":                 entryOf(t, "admingateway.admin.v1.ProjectService/CreateProject", nil),
		"method: is not a read ": {Method: "nothing"},
		"request":                entryOf(t, getProjectName, map[string]any{"user_id": "p"}),
		"project_id":             entryOf(t, getProjectName, nil),
	} {
		_, err := client.GetEntry(t.Context(), request)
		wantRefusal(t, err, connect.CodeInvalidArgument, field)
	}
	if n := h.Asked.Load(); n != 1 {
		t.Errorf("the upstream was asked %d times", n)
	}
}

// TestPurge: what was purged is asked for again, by every replica, and nothing
// else is.
func TestPurge(t *testing.T) {
	t.Parallel()
	methods, up := catalogtest.Gateway(t), newSlowUpstream(t)
	addr := redistest.Start(t)
	here, other := newReplica(t, addr, up), newReplica(t, addr, up)
	var ids []string
	for _, name := range []string{"a", "b"} {
		created, err := here.projects.CreateProject(t.Context(), &adminv1.CreateProjectRequest{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, created.GetProject().GetId())
	}
	reads := map[string]struct {
		method  string
		request proto.Message
	}{
		"get a":   {"ProjectService/GetProject", &adminv1.GetProjectRequest{ProjectId: ids[0]}},
		"get b":   {"ProjectService/GetProject", &adminv1.GetProjectRequest{ProjectId: ids[1]}},
		"users a": {"ProjectUserService/ListProjectUsers", &adminv1.ListProjectUsersRequest{ProjectId: ids[0]}},
		"list":    {"ProjectService/ListProjects", &adminv1.ListProjectsRequest{}},
	}
	asks := func(r replica, name string) bool {
		t.Helper()
		m, _ := methods.Lookup("/admingateway.admin.v1." + reads[name].method)
		before := up.calls.Load()
		if err := r.client.CallUnary(t.Context(), m.Spec(), reads[name].request, m.Response.New().Interface()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return up.calls.Load() != before
	}
	client := controlv1connect.NewCacheServiceClient(here.client)
	for name, test := range map[string]struct {
		request *controlv1.PurgeRequest
		gone    []string
	}{
		"method":  {&controlv1.PurgeRequest{What: &controlv1.PurgeRequest_Method{Method: getProjectName}}, []string{"get a", "get b"}},
		"project": {&controlv1.PurgeRequest{What: &controlv1.PurgeRequest_ProjectId{ProjectId: ids[0]}}, []string{"get a", "users a"}},
		"all":     {&controlv1.PurgeRequest{What: &controlv1.PurgeRequest_All{All: true}}, []string{"get a", "get b", "users a", "list"}},
	} {
		for read := range reads {
			asks(here, read)
			if asks(other, read) {
				t.Errorf("%s was not shared", read)
			}
		}
		got, err := client.Purge(t.Context(), test.request)
		if err != nil || !got.GetShared() {
			t.Fatalf("%s: %v, %v", name, got, err)
		}
		gone := make(map[string]bool)
		for _, read := range test.gone {
			gone[read] = true
		}
		for read := range reads {
			if got := asks(here, read); got != gone[read] {
				t.Errorf("after a purge of %s, %s was asked for again: %t", name, read, got)
			}
		}
	}
	for _, bad := range []*controlv1.PurgeRequest{
		{},
		{What: &controlv1.PurgeRequest_All{}},
		{What: &controlv1.PurgeRequest_Method{Method: "admingateway.admin.v1.ProjectService/CreateProject"}},
		{What: &controlv1.PurgeRequest_ProjectId{ProjectId: "../a"}},
	} {
		if _, err := client.Purge(t.Context(), bad); connect.CodeOf(err) != connect.CodeInvalidArgument {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

// TestWithoutCache: a gateway that keeps nothing says so.
func TestWithoutCache(t *testing.T) {
	t.Parallel()
	client := controlv1connect.NewCacheServiceClient(gatewaytest.New(t).Client("root"))
	_, err := client.GetEntry(t.Context(), entryOf(t, getProjectName, map[string]any{"project_id": "p"}))
	wantRefusal(t, err, connect.CodeFailedPrecondition, "stores no answers")
	_, err = client.Purge(t.Context(), &controlv1.PurgeRequest{What: &controlv1.PurgeRequest_All{All: true}})
	wantRefusal(t, err, connect.CodeFailedPrecondition, "stores no answers")
}

// TestLocalMethodsAreAuthorized: the RPCs that the gateway answers itself are behind
// the same policy: by permission, and by project where the request names one.
func TestLocalMethodsAreAuthorized(t *testing.T) {
	t.Parallel()
	const policy = `
callers:
  - name: reader
    limits: $free
    authenticate: [{token_sha256: $reader}]
    grants: [{permissions: ["projects.*", "users.*"]}]
  - name: team
    limits: $free
    authenticate: [{token_sha256: $team}]
    grants: [{permissions: [cache.purge, cache.read], projects: [p]}]
`
	log := new(gatewaytest.Records)
	gateway := gatewaytest.New(t, gatewaytest.WithMemoryCache(), gatewaytest.WithPolicy(policy), gatewaytest.WithAudit(log))
	for _, name := range []string{"", "reader", "team"} {
		client := controlv1connect.NewCacheServiceClient(gateway.Client(name))
		code := connect.CodePermissionDenied
		if name == "" {
			code = connect.CodeUnauthenticated
		}
		calls := map[string]func(context.Context) error{
			"look": func(ctx context.Context) error {
				_, err := client.GetEntry(ctx, entryOf(t, getProjectName, map[string]any{"project_id": "p"}))
				return err
			},
		}
		for what, request := range map[string]*controlv1.PurgeRequest{
			"all":           {What: &controlv1.PurgeRequest_All{All: true}},
			"a method":      {What: &controlv1.PurgeRequest_Method{Method: getProjectName}},
			"other project": {What: &controlv1.PurgeRequest_ProjectId{ProjectId: "q"}},
		} {
			calls[what] = func(ctx context.Context) error { _, err := client.Purge(ctx, request); return err }
		}
		for what, call := range calls {
			if err := call(t.Context()); connect.CodeOf(err) != code {
				t.Errorf("%q, %s: %v", name, what, err)
			}
		}
	}
	team := controlv1connect.NewCacheServiceClient(gateway.Client("team"))
	if _, err := team.Purge(t.Context(), &controlv1.PurgeRequest{What: &controlv1.PurgeRequest_ProjectId{ProjectId: "p"}}); err != nil {
		t.Errorf("its own project: %v", err)
	}
	kept := log.All()
	if r := kept[len(kept)-1]; r.Method != "admingateway.control.v1.CacheService/Purge" || r.Caller != "team" || r.Decision != "allowed" || len(r.Projects) != 1 || r.Projects[0] != "p" {
		t.Errorf("recorded as %+v", r)
	}
}

// wantRefusal wants an error of a code whose message has a text.
func wantRefusal(t *testing.T, err error, code connect.Code, text string) {
	t.Helper()
	if connect.CodeOf(err) != code || err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("%v, want %s with %q", err, code, text)
	}
}
