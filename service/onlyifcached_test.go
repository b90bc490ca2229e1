package service_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect/v2"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1/controlv1connect"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// TestOnlyIfCached: a caller that wants a stored answer gets one, as stale as the
// declaration allows when there is no other, or an error; the upstream is not asked.
func TestOnlyIfCached(t *testing.T) {
	t.Parallel()
	now := new(atomic.Int64)
	now.Store(time.Now().Unix())
	g := gatewaytest.New(t, gatewaytest.WithMemoryCache(), gatewaytest.WithClock(func() time.Time { return time.Unix(now.Load(), 0) }))
	client := adminv1connect.NewProjectServiceClient(g.Client("root"))
	get := func(control string) (status string, err error) {
		ctx, info := connect.NewClientContext(t.Context())
		if control != "" {
			info.RequestHeader().Set("Cache-Control", control)
		}
		_, err = client.GetProject(ctx, &adminv1.GetProjectRequest{ProjectId: "proj_1"})
		return info.ResponseHeader().Get("Cache-Status"), err
	}
	refused := func(when string) {
		t.Helper()
		if _, err := get("only-if-cached"); connect.CodeOf(err) != connect.CodeFailedPrecondition || reason(t, err) != rpcerror.ReasonNotStored {
			t.Errorf("%s: %v", when, err)
		}
	}
	refused("nothing is stored")
	if g.Asked.Load() != 0 {
		t.Fatal("the upstream was asked")
	}
	if _, err := get(""); err != nil {
		t.Fatal(err)
	}
	for after, want := range map[time.Duration]bool{time.Second: true, 30 * time.Minute: true} { // Fresh, and stale within an hour.
		now.Add(int64(after / time.Second))
		if status, err := get("only-if-cached"); (err == nil) != want {
			t.Errorf("%s later: %q, %v", after, status, err)
		}
	}
	now.Add(3600)
	refused("what is stored is too old")
	if g.Asked.Load() != 1 {
		t.Errorf("the upstream was asked %d times", g.Asked.Load())
	}
}

// TestGetAccess: a caller learns what it may do, also one that is limited to projects, and
// nothing of others.
func TestGetAccess(t *testing.T) {
	t.Parallel()
	g := gatewaytest.New(t, gatewaytest.WithPolicy(`
callers:
  - name: one
    authenticate: [{token_sha256: $one}]
    grants:
      - {permissions: [costs.read, sessions.read], projects: [proj_b, proj_a]}
      - {permissions: [usage.read]}
    denies: [{permissions: [budget.read]}]
    limits: $free
  - name: all
    authenticate: [{token_sha256: $all}]
    grants: [{permissions: ["*"], roles: ["*"]}]
    denies: [{permissions: [budget.read]}]
    limits: $free
  - name: blind
    authenticate: [{token_sha256: $blind}]
    grants: [{permissions: [usage.read]}]
    limits: $free
`))
	access := func(caller string) (*controlv1.GetAccessResponse, map[string]*controlv1.Access, error) {
		answer, err := controlv1connect.NewSessionServiceClient(g.Client(caller)).GetAccess(context.WithoutCancel(t.Context()), &controlv1.GetAccessRequest{})
		found := make(map[string]*controlv1.Access)
		for _, item := range answer.GetAccess() {
			for _, permission := range item.GetPermissions() {
				found[permission] = item
			}
		}
		return answer, found, err
	}
	answer, one, err := access("one")
	if err != nil || answer.GetSession().GetCaller() != "one" || len(one) != 3 || one["usage.read"] == nil || !one["usage.read"].GetOrganization() {
		t.Errorf("one: %v, %v", answer, err)
	}
	if costs := one["costs.read"]; costs.GetOrganization() || len(costs.GetProjects()) != 2 || costs.GetProjects()[0] != "proj_a" {
		t.Errorf("one: costs %v", costs)
	}
	if answer, all, err := access("all"); err != nil || len(answer.GetAccess()) != 1 || all["projects.create"] == nil || all["budget.read"] != nil {
		t.Errorf("all: %v, %v", answer, err)
	}
	if _, _, err := access("blind"); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("without the permission: %v", err)
	}
}
