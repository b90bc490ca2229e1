package pages_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	"github.com/admin-gateway/admin-gateway/internal/consoletest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// TestActivity: who did what and why it was refused, for those who may know. A caller that
// is limited to a project sees the upstream's entries of that one, and no records.
func TestActivity(t *testing.T) {
	t.Parallel()
	o := newOperated(t)
	for caller, want := range map[string]bool{"all": true, "one": false} {
		_, err := adminv1connect.NewProjectServiceClient(o.Client(caller)).GetProject(t.Context(), &adminv1.GetProjectRequest{ProjectId: o.other})
		if (err == nil) != want {
			t.Fatalf("%s: %v", caller, err)
		}
	}
	o.console.As(t, "all").Get("/callers") // So that a person's calls are among them.

	b := o.console.As(t, "all")
	parts := b.Get("/activity").Parts()
	for id, wants := range map[string][]string{
		"records":   {" done\"", "ProjectService/GetProject", "projects.read", ">denied<", ">all<", ">one<", "/activity?request=req_"},
		"entries":   {" done\"", "<table"},
		"strangers": {" done\"", "Nobody."},
	} {
		for _, want := range wants {
			if !strings.Contains(parts[id], want) {
				t.Errorf("%s has no %q: %s", id, want, parts[id])
			}
		}
	}
	denied := b.Get("/activity?caller=one&decision=denied").Parts()["records"]
	if !strings.Contains(denied, ">denied<") || strings.Contains(denied, "?caller=all\"") {
		t.Errorf("what one was refused: %s", denied)
	}
	if none := b.Get("/activity?request=req_none").Parts()["records"]; !strings.Contains(none, "No replica remembers") {
		t.Errorf("a request that nobody made: %s", none)
	}

	one := o.console.As(t, "one").Get("/activity")
	if records := one.Parts()["records"]; strings.Contains(records, "<table") || !strings.Contains(records, "audit.records.read") {
		t.Errorf("the records for a caller of one project: %s", records)
	}
	if strings.Contains(one.Text, o.other) {
		t.Errorf("a caller of one project sees the other: %s", one.Text)
	}
	none := o.console.As(t, "none").Get("/activity")
	for id, permission := range map[string]string{"records": "audit.records.read", "entries": "audit_logs.read", "strangers": "audit.strangers.read"} {
		if part := none.Parts()[id]; !strings.Contains(part, " denied\"") || !strings.Contains(part, permission) {
			t.Errorf("%s without the permission: %s", id, part)
		}
	}
}

// reporting is an upstream that reports what it was asked, under the id of the request,
// and something that somebody else did.
type reporting struct{}

const reported = `{"object": "list", "has_more": false, "data": [
	{"id": "req_up_20260101", "type": "project.updated", "effective_at": 1767225600, "actor": {"type": "api_key", "api_key": {"id": "key_1", "type": "user", "user": {"id": "u", "email": "root@example.com"}}}, "project.updated": {"id": "proj_1"}},
	{"id": "req_upper_20260101", "type": "user.added", "effective_at": 1767225600, "actor": {"type": "session", "session": {"user": {"id": "u", "email": "<b>@example.com"}}}, "user.added": {"id": "user_1"}}]}`

// Do implements upstream.Attempter.
func (reporting) Do(_ context.Context, e *upstream.Endpoint, _ *upstream.Request) (*upstream.Reply, error) {
	if strings.Contains(e.String(), "audit_logs") {
		return &upstream.Reply{Status: 200, Body: []byte(reported), RequestID: "req_list"}, nil
	}
	return &upstream.Reply{Status: 200, Body: []byte(`{"object": "organization.project", "id": "proj_1", "name": "p", "created_at": 1, "status": "active"}`), RequestID: "req_up"}, nil
}

// TestActivityIsJoined: an entry of the upstream stands beside the call of the gateway
// that it is about, and no other does.
func TestActivityIsJoined(t *testing.T) {
	t.Parallel()
	g := gatewaytest.New(t, gatewaytest.WithUpstream(reporting{}), gatewaytest.WithPolicy(fmt.Sprintf(operatedPolicy, "proj_1", "proj_2")))
	name := "new"
	if _, err := adminv1connect.NewProjectServiceClient(g.Client("all")).UpdateProject(t.Context(), &adminv1.UpdateProjectRequest{ProjectId: "proj_1", Name: &name}); err != nil {
		t.Fatal(err)
	}
	parts := consoletest.Open(t, g).As(t, "all").Get("/activity").Parts()
	if n := strings.Count(parts["records"], "project.updated"); n != 1 || strings.Contains(parts["records"], "user.added") {
		t.Errorf("%d calls have the entry: %s", n, parts["records"])
	}
	rows := strings.Split(parts["entries"], "<tr>")
	for _, row := range rows {
		if of := strings.Contains(row, "project.updated"); of != strings.Contains(row, "/activity?request=") {
			t.Errorf("the call of an entry: %s", row)
		}
	}
	if strings.Contains(parts["entries"], "<b>@") || !strings.Contains(parts["entries"], "&lt;b&gt;@example.com") {
		t.Errorf("an actor's name: %s", parts["entries"])
	}
}
