package authz_test

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
	"github.com/admin-gateway/admin-gateway/service/authz"
)

// The oracle of leases is written from docs/authorization.md, as that of requests is.

// oracleOpens says whether a grant opens a role in a project for a permission.
func oracleOpens(g authz.Grant, permission, role, project string) bool {
	return oraclePermitted(g, permission) &&
		(slices.Contains(g.Roles, role) || slices.Contains(g.Roles, "*")) &&
		(g.Projects == nil || slices.Contains(g.Projects, project))
}

// oracleCloses says whether a deny closes it.
func oracleCloses(g authz.Grant, permission, role, project string) bool {
	return oraclePermitted(g, permission) &&
		(g.Roles == nil || slices.Contains(g.Roles, role) || slices.Contains(g.Roles, "*")) &&
		(g.Projects == nil || project == "" || slices.ContainsFunc(g.Projects, func(p string) bool { return strings.EqualFold(p, project) }))
}

func oracleRole(c authz.Caller, permission, role, project string) bool {
	return slices.ContainsFunc(c.Grants, func(g authz.Grant) bool { return oracleOpens(g, permission, role, project) }) &&
		!slices.ContainsFunc(c.Denies, func(g authz.Grant) bool { return oracleCloses(g, permission, role, project) })
}

func projectOf(role string) string {
	for _, r := range leaseRoles() {
		if r.Name == role {
			return r.Project
		}
	}
	return ""
}

func drawLeaseRule(t *rapid.T) authz.Grant {
	g := authz.Grant{Permissions: rapid.SliceOfN(rapid.SampledFrom([]string{
		"*", "*.read", "leases.*", "leases.create", "leases.delegate", "leases.renew", "leases.revoke", "leases.revoke_any", "leases.read", "leases.read_any",
	}), 1, 4).Draw(t, "permissions")}
	g.Roles = rapid.SampledFrom([][]string{nil, {"search"}, {"batch"}, {"search", "batch"}, {"*"}, {"*"}}).Draw(t, "roles")
	if len(g.Roles) == 0 || g.Roles[0] == "*" {
		g.Projects = rapid.SampledFrom([][]string{nil, nil, {"p1"}, {"P1", "p2"}}).Draw(t, "projects")
	}
	return g
}

// TestOracleOfLeases compares decisions on roles and on leases with the oracle, and
// what is asked first with what is asked then.
func TestOracleOfLeases(t *testing.T) {
	t.Parallel()
	methods := leaseMethods(t)
	seen := make(map[authz.Reason]int)
	rapid.Check(t, func(t *rapid.T) {
		c := authz.Caller{
			Name:   "me",
			Grants: rapid.SliceOfN(rapid.Custom(drawLeaseRule), 1, 3).Draw(t, "grants"),
			Denies: rapid.SliceOfN(rapid.Custom(drawLeaseRule), 0, 1).Draw(t, "denies"),
		}
		policy, err := authz.Compile([]authz.Caller{c}, methods, leaseRoles()...)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			role := rapid.SampledFrom([]string{"search", "batch", "gone"}).Draw(t, "role")
			create, _ := methods.Lookup(createLease)
			request := &leasev1.CreateLeaseRequest{Role: role, Holder: rapid.SampledFrom([]string{"", "pod"}).Draw(t, "holder")}
			want := oracleRole(c, "leases.create", role, projectOf(role)) &&
				(request.GetHolder() == "" || oracleRole(c, "leases.delegate", role, projectOf(role)))
			d := policy.Decide("me", create, request.ProtoReflect(), moment)
			if d.Allowed != want {
				t.Fatalf("%v: got %+v, want %v\n%+v", request, d, want, c)
			}
			seen[d.Reason]++
			lease := authz.Lease{
				Role: role, Project: rapid.SampledFrom([]string{"p1", "p2", "p3"}).Draw(t, "project"), Caller: rapid.SampledFrom([]string{"me", "you", ""}).Draw(t, "owner"),
			}
			for _, rpc := range []struct {
				name, permission, any string
				request               proto.Message
			}{
				{renewLease, "leases.renew", "", emptyRequest(renewLease)},
				{revokeLease, "leases.revoke", "leases.revoke_any", emptyRequest(revokeLease)},
				{listLeases, "leases.read", "leases.read_any", &leasev1.ListLeasesRequest{}},
			} {
				h, _ := methods.Lookup(rpc.name)
				want := oracleRole(c, rpc.permission, role, lease.Project) &&
					(lease.Caller == "me" || rpc.any != "" && oracleRole(c, rpc.any, role, lease.Project))
				d := policy.DecideLease("me", h, rpc.request.ProtoReflect(), lease, moment)
				if d.Allowed != want {
					t.Fatalf("%s of %+v: got %+v, want %v\n%+v", rpc.name, lease, d, want, c)
				}
				first, may := policy.Decide("me", h, rpc.request.ProtoReflect(), moment), policy.MayCall("me", h)
				if d.Allowed && (!first.Allowed || !first.EachLease || !may.Allowed) {
					t.Fatalf("%s: the lease is allowed, and the call is not: %+v, %+v\n%+v", rpc.name, first, may, c)
				}
				seen[d.Reason]++
			}
		}
	})
	for _, r := range []authz.Reason{authz.NoPermission, authz.RoleOutOfScope, authz.NotOwner, authz.Denied, authz.Granted} {
		if seen[r] == 0 {
			t.Errorf("no decision was %v: %v", r, seen)
		}
	}
}
