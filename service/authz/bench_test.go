package authz_test

import (
	"fmt"
	"runtime"
	"testing"

	"google.golang.org/protobuf/proto"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/service/authz"
)

// benchCallers are n callers, each like a real one: a few grants, one of them
// limited to projects, one with a condition, and a deny.
func benchCallers(n int) []authz.Caller {
	callers := make([]authz.Caller, n)
	for i := range callers {
		mine := fmt.Sprintf("proj_%d", i)
		callers[i] = authz.Caller{
			Name: fmt.Sprintf("caller-%d", i),
			Grants: []authz.Grant{
				{Permissions: []string{"users.*"}},
				{Permissions: []string{"projects.*", "usage.read"}, Projects: []string{mine, mine + "_a", mine + "_b"}},
				{
					Permissions: []string{"invites.create"}, Projects: []string{mine},
					When: `request.role != InviteRole.INVITE_ROLE_OWNER && request.email.endsWith("@example.com")`,
				},
				{Permissions: []string{"invites.delete"}, When: `request.invite_id.startsWith("invite-")`},
			},
			Denies: []authz.Grant{{Permissions: []string{"users.delete"}}, {Permissions: []string{"projects.*"}, Projects: []string{"proj_secret"}}},
		}
	}
	return callers
}

func BenchmarkDecide(b *testing.B) {
	calls := []struct {
		name, rpc string
		request   proto.Message
	}{
		{"unscoped", "UserService/GetUser", &adminv1.GetUserRequest{UserId: "user-1"}},
		{"project", "ProjectService/GetProject", &adminv1.GetProjectRequest{ProjectId: "proj_0"}},
		{"filter", "UsageService/ListCompletionsUsage", &adminv1.ListCompletionsUsageRequest{ProjectIds: []string{"proj_0", "proj_0_b"}}},
		{"condition", "InviteService/DeleteInvite", &adminv1.DeleteInviteRequest{InviteId: "invite-1"}},
		{"body_and_condition", "InviteService/CreateInvite", &adminv1.CreateInviteRequest{
			Email: "someone@example.com", Role: adminv1.InviteRole_INVITE_ROLE_READER,
			Projects: &adminv1.InviteProjects{Values: []*adminv1.InviteProject{{Id: "proj_0", Role: adminv1.InviteProjectRole_INVITE_PROJECT_ROLE_MEMBER}}},
		}},
	}
	methods := compileDeclarations(b)
	for _, callers := range []int{1, 1000} {
		policy := compilePolicy(b, methods, benchCallers(callers)...)
		for _, call := range calls {
			h, request := handle(b, methods, call.rpc), call.request.ProtoReflect()
			b.Run(fmt.Sprintf("%s/callers=%d", call.name, callers), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if d := policy.Decide("caller-0", h, request, moment); !d.Allowed {
						b.Fatal(d)
					}
				}
			})
		}
	}
}

func BenchmarkMayCall(b *testing.B) {
	methods := compileDeclarations(b)
	policy := compilePolicy(b, methods, benchCallers(1000)...)
	h := handle(b, methods, "ProjectService/GetProject")
	b.ReportAllocs()
	for b.Loop() {
		if d := policy.MayCall("caller-500", h); !d.Allowed {
			b.Fatal(d)
		}
	}
}

// BenchmarkCompile reports what a policy of 1,000 callers takes to compile, and
// what it holds on to: with conditions that all share, and with one of its own
// for each caller.
func BenchmarkCompile(b *testing.B) {
	methods := compileDeclarations(b)
	own := benchCallers(1000)
	for i := range own {
		own[i].Grants[2].When += fmt.Sprintf(` && request.email != "user-%d@example.com"`, i)
	}
	for name, callers := range map[string][]authz.Caller{"shared": benchCallers(1000), "own": own} {
		b.Run("conditions="+name, func(b *testing.B) {
			var before, after runtime.MemStats
			var policy *authz.Policy
			runtime.GC()
			runtime.ReadMemStats(&before)
			for b.Loop() {
				policy = compilePolicy(b, methods, callers...)
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric((float64(after.HeapAlloc)-float64(before.HeapAlloc))/(1<<20), "MiB-held")
			runtime.KeepAlive(policy)
		})
	}
}
