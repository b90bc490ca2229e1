package authz_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
	"github.com/admin-gateway/admin-gateway/service/authz"
)

// The procedures of leases, without their service.
const (
	createLease = "CreateLease"
	renewLease  = "RenewLease"
	revokeLease = "RevokeLease"
	getLease    = "GetLease"
	listLeases  = "ListLeases"
)

// leaseMethods are RPCs of leases, and one that is about none.
func leaseMethods(tb testing.TB) *authz.Methods {
	tb.Helper()
	request := func(name string) authz.Method {
		return authz.Method{Procedure: name, Request: leasev1.File_admingateway_lease_v1_service_proto.Messages().ByName(protoreflect.Name(name + "Request"))}
	}
	create, renew, revoke, get, list, other := request(createLease), request(renewLease), request(revokeLease), request(getLease), request(listLeases), request("Reconcile")
	create.Permission, create.Leases, create.Needs = "leases.create", &authz.LeaseScope{Role: "role"}, []authz.Need{{Field: "holder", Permission: "leases.delegate"}}
	renew.Permission, renew.Leases = "leases.renew", &authz.LeaseScope{}
	revoke.Permission, revoke.Leases = "leases.revoke", &authz.LeaseScope{Any: "leases.revoke_any"}
	get.Permission, get.Leases = "leases.read", &authz.LeaseScope{Any: "leases.read_any"}
	list.Permission, list.Leases = "leases.read", &authz.LeaseScope{Role: "role", Any: "leases.read_any"}
	other.Permission, other.Projects = "leases.reconcile", []string{"project_ids"}
	methods, err := authz.NewMethods([]authz.Method{create, renew, revoke, get, list, other})
	if err != nil {
		tb.Fatal(err)
	}
	return methods
}

func leaseRoles() []authz.Role {
	return []authz.Role{
		{Name: "search", Project: "p1", Kind: "key", ServiceAccount: "bot", Scopes: words{"api.model.request"}, TTL: time.Hour, MaxTTL: 24 * time.Hour},
		{Name: "batch", Project: "p2", Kind: "account", TTL: time.Minute, MaxTTL: time.Hour},
	}
}

func ofRoles(p string, roles ...string) authz.Grant {
	return authz.Grant{Permissions: words{p}, Roles: roles}
}

func inProjects(g authz.Grant, ids ...string) authz.Grant { g.Projects = ids; return g }

func under(g authz.Grant, when string) authz.Grant { g.When = when; return g }

// TestRolesOfACreate: a role takes a grant that names it, and nothing else opens it.
func TestRolesOfACreate(t *testing.T) {
	t.Parallel()
	methods := leaseMethods(t)
	h, _ := methods.Lookup(createLease)
	for name, tc := range map[string]struct {
		grants, denies grants
		role, holder   string
		want           authz.Reason
		permission     string
	}{
		"named":                    {grants{ofRoles("leases.create", "search")}, nil, "search", "", authz.Granted, ""},
		"another is named":         {grants{ofRoles("leases.create", "search")}, nil, "batch", "", authz.RoleOutOfScope, ""},
		"none is named":            {grants{permissions("*")}, nil, "search", "", authz.RoleOutOfScope, ""},
		"all":                      {grants{ofRoles("*", "*")}, nil, "batch", "", authz.Granted, ""},
		"another permission":       {grants{ofRoles("leases.renew", "*")}, nil, "search", "", authz.NoPermission, ""},
		"all of a project":         {grants{inProjects(ofRoles("leases.*", "*"), "p1")}, nil, "search", "", authz.Granted, ""},
		"of another project":       {grants{inProjects(ofRoles("leases.*", "*"), "p1")}, nil, "batch", "", authz.RoleOutOfScope, ""},
		"denied by name":           {grants{ofRoles("*", "*")}, grants{ofRoles("leases.create", "search")}, "search", "", authz.Denied, ""},
		"another is denied":        {grants{ofRoles("*", "*")}, grants{ofRoles("leases.create", "search")}, "batch", "", authz.Granted, ""},
		"denied without roles":     {grants{ofRoles("*", "*")}, grants{permissions("leases.create")}, "batch", "", authz.Denied, ""},
		"denied by project":        {grants{ofRoles("*", "*")}, grants{inProjects(permissions("*"), "P1")}, "search", "", authz.Denied, ""},
		"another project denied":   {grants{ofRoles("*", "*")}, grants{inProjects(permissions("*"), "p1")}, "batch", "", authz.Granted, ""},
		"delegated":                {grants{ofRoles("leases.create", "search"), ofRoles("leases.delegate", "search")}, nil, "search", "pod", authz.Granted, ""},
		"delegated without":        {grants{ofRoles("leases.create", "search")}, nil, "search", "pod", authz.NoPermission, "leases.delegate"},
		"delegated of another":     {grants{ofRoles("leases.create", "search"), ofRoles("leases.delegate", "batch")}, nil, "search", "pod", authz.RoleOutOfScope, "leases.delegate"},
		"delegation is denied":     {grants{ofRoles("*", "*")}, grants{ofRoles("leases.delegate", "search")}, "search", "pod", authz.Denied, "leases.delegate"},
		"no such role":             {grants{ofRoles("leases.create", "search", "batch")}, nil, "serach", "", authz.RoleOutOfScope, ""},
		"no such role in projects": {grants{inProjects(ofRoles("leases.create", "*"), "p1")}, nil, "serach", "", authz.RoleOutOfScope, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			policy, err := authz.Compile([]authz.Caller{{Name: "me", Grants: tc.grants, Denies: tc.denies}}, methods, leaseRoles()...)
			if err != nil {
				t.Fatal(err)
			}
			request := &leasev1.CreateLeaseRequest{Role: tc.role, Holder: tc.holder}
			d := policy.Decide("me", h, request.ProtoReflect(), moment)
			permission := tc.permission
			if permission == "" {
				permission = "leases.create"
			}
			if d.Reason != tc.want || d.Permission != permission || d.EachLease || d.Allowed != (tc.want == authz.Granted) || d.Project != "" {
				t.Errorf("got %+v, want %v", d, tc.want)
			}
			if (d.Reason == authz.RoleOutOfScope) != (d.Role == tc.role) {
				t.Errorf("the role in %+v", d)
			}
			if may := policy.MayCall("me", h); !may.Allowed && d.Allowed {
				t.Errorf("MayCall refuses what is allowed: %+v", may)
			}
		})
	}
}

// TestNoRoleMayNotCall: a caller whose grants open no role is refused before there is a
// request, and for a request that names none.
func TestNoRoleMayNotCall(t *testing.T) {
	t.Parallel()
	methods := leaseMethods(t)
	policy, err := authz.Compile([]authz.Caller{{Name: "me", Grants: grants{permissions("*")}}}, methods, leaseRoles()...)
	if err != nil {
		t.Fatal(err)
	}
	for _, rpc := range []string{listLeases, getLease, revokeLease, renewLease} {
		h, _ := methods.Lookup(rpc)
		for _, d := range []authz.Decision{policy.MayCall("me", h), policy.Decide("me", h, emptyRequest(rpc).ProtoReflect(), moment)} {
			if d.Allowed || d.Reason != authz.RoleOutOfScope {
				t.Errorf("%s: %+v", rpc, d)
			}
		}
	}
}

// TestOwnersOfLeases: leases of other callers take their own permission, which most RPCs
// do not have.
func TestOwnersOfLeases(t *testing.T) {
	t.Parallel()
	methods := leaseMethods(t)
	mine, yours, nobodys := authz.Lease{Role: "search", Project: "p1", Caller: "me"}, authz.Lease{Role: "search", Project: "p1", Caller: "you"}, authz.Lease{Role: "search", Project: "p1"}
	all := []string{"leases.create", "leases.renew", "leases.revoke", "leases.read"}
	own := authz.Grant{Permissions: all, Roles: words{"search"}}
	for name, tc := range map[string]struct {
		grants, denies grants
		rpc            string
		lease          authz.Lease
		want           authz.Reason
	}{
		"mine":                     {grants{own}, nil, revokeLease, mine, authz.Granted},
		"yours":                    {grants{own}, nil, revokeLease, yours, authz.NotOwner},
		"nobody's":                 {grants{own}, nil, revokeLease, nobodys, authz.NotOwner},
		"any":                      {grants{own, ofRoles("leases.revoke_any", "search")}, nil, revokeLease, yours, authz.Granted},
		"any, nobody's":            {grants{own, ofRoles("leases.revoke_any", "search")}, nil, revokeLease, nobodys, authz.Granted},
		"any of another role":      {grants{own, ofRoles("leases.revoke_any", "batch")}, nil, revokeLease, yours, authz.NotOwner},
		"any for another":          {grants{own, ofRoles("leases.read_any", "search")}, nil, revokeLease, yours, authz.NotOwner},
		"any alone":                {grants{ofRoles("leases.revoke_any", "*")}, nil, revokeLease, yours, authz.NoPermission},
		"any, denied":              {grants{ofRoles("*", "*")}, grants{ofRoles("leases.revoke_any", "search")}, revokeLease, yours, authz.Denied},
		"any, denied, mine":        {grants{ofRoles("*", "*")}, grants{ofRoles("leases.revoke_any", "search")}, revokeLease, mine, authz.Granted},
		"nobody renews another's":  {grants{ofRoles("*", "*")}, nil, renewLease, yours, authz.NotOwner},
		"the role is taken away":   {grants{ofRoles("leases.renew", "batch")}, nil, renewLease, mine, authz.RoleOutOfScope},
		"a role of the past":       {grants{own}, nil, revokeLease, authz.Lease{Role: "gone", Project: "p1", Caller: "me"}, authz.RoleOutOfScope},
		"a role of the past, all":  {grants{ofRoles("leases.revoke", "*")}, nil, revokeLease, authz.Lease{Role: "gone", Project: "p1", Caller: "me"}, authz.Granted},
		"a project of the past":    {grants{inProjects(own, "p1")}, nil, revokeLease, authz.Lease{Role: "search", Project: "p0", Caller: "me"}, authz.RoleOutOfScope},
		"a list":                   {grants{own}, nil, listLeases, yours, authz.NotOwner},
		"a list of any":            {grants{own, ofRoles("leases.read_any", "*")}, nil, listLeases, yours, authz.Granted},
		"another's in a condition": {grants{under(own, `role.name == "batch"`)}, nil, revokeLease, mine, authz.ConditionFalse},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			policy, err := authz.Compile([]authz.Caller{{Name: "me", Grants: tc.grants, Denies: tc.denies}}, methods, leaseRoles()...)
			if err != nil {
				t.Fatal(err)
			}
			h, _ := methods.Lookup(tc.rpc)
			request := emptyRequest(tc.rpc)
			d := policy.DecideLease("me", h, request.ProtoReflect(), tc.lease, moment)
			if d.Reason != tc.want || d.Allowed != (tc.want == authz.Granted) || d.EachLease {
				t.Errorf("got %+v, want %v", d, tc.want)
			}
			if may := policy.Decide("me", h, request.ProtoReflect(), moment); d.Allowed && (!may.Allowed || !may.EachLease) {
				t.Errorf("the call itself: %+v", may)
			}
		})
	}
}

// TestDecideLeaseRefusesTheRest: an RPC that is not about leases, and a request of
// another one, are refused whatever is granted.
func TestDecideLeaseRefusesTheRest(t *testing.T) {
	t.Parallel()
	methods := leaseMethods(t)
	policy, err := authz.Compile([]authz.Caller{{Name: "me", Grants: grants{ofRoles("*", "*")}}}, methods, leaseRoles()...)
	if err != nil {
		t.Fatal(err)
	}
	lease := authz.Lease{Role: "search", Project: "p1", Caller: "me"}
	get, _ := methods.Lookup(getLease)
	reconcile, _ := methods.Lookup("Reconcile")
	for name, d := range map[string]authz.Decision{
		"not about leases":  policy.DecideLease("me", reconcile, (&leasev1.ReconcileRequest{}).ProtoReflect(), lease, moment),
		"another's request": policy.DecideLease("me", get, (&leasev1.RenewLeaseRequest{}).ProtoReflect(), lease, moment),
		"no request":        policy.DecideLease("me", get, nil, lease, moment),
		"no caller":         policy.DecideLease("you", get, (&leasev1.GetLeaseRequest{}).ProtoReflect(), lease, moment),
		"no policy":         (*authz.Policy)(nil).DecideLease("me", get, (&leasev1.GetLeaseRequest{}).ProtoReflect(), lease, moment),
		"no method":         policy.DecideLease("me", nil, (&leasev1.GetLeaseRequest{}).ProtoReflect(), lease, moment),
	} {
		if d.Allowed {
			t.Errorf("%s: %+v", name, d)
		}
	}
	if d := policy.Decide("me", reconcile, (&leasev1.ReconcileRequest{}).ProtoReflect(), moment); !d.Allowed || d.EachLease {
		t.Errorf("reconcile: %+v", d)
	}
}

// TestConditionsKnowTheRole: of leases alone. What is not known of a role that the
// policy has no more denies, in a grant and in a deny.
func TestConditionsKnowTheRole(t *testing.T) {
	t.Parallel()
	methods := leaseMethods(t)
	h, _ := methods.Lookup(createLease)
	revoke, _ := methods.Lookup(revokeLease)
	request := (&leasev1.CreateLeaseRequest{Role: "search", Ttl: durationpb.New(30 * time.Minute)}).ProtoReflect()
	for when, want := range map[string]authz.Reason{
		`role.name == "search" && role.project == "p1" && role.kind == "key" && role.service_account == "bot"`: authz.Granted,
		`"api.model.request" in role.scopes && size(role.scopes) == 1`:                                         authz.Granted,
		`role.ttl == duration("1h") && role.max_ttl <= duration("24h")`:                                        authz.Granted,
		`!has(request.ttl) || request.ttl <= role.ttl`:                                                         authz.Granted,
		`has(request.ttl) && request.ttl > role.ttl`:                                                           authz.ConditionFalse,
		`role.name == caller.name`:                                                                             authz.ConditionFalse,
		`role.scopes[1] == ""`:                                                                                 authz.ConditionFailed,
	} {
		policy, err := authz.Compile([]authz.Caller{{Name: "me", Grants: grants{under(ofRoles("leases.create", "*"), when)}}}, methods, leaseRoles()...)
		if err != nil {
			t.Errorf("%s: %v", when, err)
		} else if d := policy.Decide("me", h, request, moment); d.Reason != want {
			t.Errorf("%s: %+v, want %v", when, d, want)
		}
	}
	for when, want := range map[string][2]authz.Reason{
		`role.name == "gone"`:         {authz.Granted, authz.Denied},
		`role.project == "p1"`:        {authz.Granted, authz.Denied},
		`role.ttl < duration("100h")`: {authz.ConditionFailed, authz.Denied},
		`role.kind != "key"`:          {authz.ConditionFailed, authz.Denied},
	} {
		rule := under(ofRoles("leases.revoke", "*"), when)
		gone := authz.Lease{Role: "gone", Project: "p1", Caller: "me"}
		for i, c := range []authz.Caller{{Name: "me", Grants: grants{rule}}, {Name: "me", Grants: grants{ofRoles("*", "*")}, Denies: grants{rule}}} {
			policy, err := authz.Compile([]authz.Caller{c}, methods, leaseRoles()...)
			if err != nil {
				t.Fatal(err)
			}
			if d := policy.DecideLease("me", revoke, emptyRequest(revokeLease).ProtoReflect(), gone, moment); d.Reason != want[i] {
				t.Errorf("%s: %+v, want %v", when, d, want[i])
			}
		}
	}
	_, err := authz.Compile([]authz.Caller{{Name: "me", Grants: grants{under(ofRoles("leases.*", "*"), `role.name == "search"`)}}}, methods, leaseRoles()...)
	if err == nil || !strings.Contains(err.Error(), "does not compile") {
		t.Errorf("a role in a condition on an RPC that has none: %v", err)
	}
}

// TestFaultsOfRoles: each has its place, and a grant that opens nothing is warned of.
func TestFaultsOfRoles(t *testing.T) {
	t.Parallel()
	methods := leaseMethods(t)
	for name, tc := range map[string]struct {
		caller authz.Caller
		item   int
		want   string
	}{
		"empty":              {authz.Caller{Grants: grants{{Permissions: words{"leases.create"}, Roles: words{}}}}, -1, "no role is meant"},
		"empty in a deny":    {authz.Caller{Denies: grants{{Permissions: words{"leases.create"}, Roles: words{}}}}, -1, "all roles are meant"},
		"unknown":            {authz.Caller{Grants: grants{ofRoles("leases.create", "search", "serach")}}, 1, "no role has this name"},
		"without a name":     {authz.Caller{Grants: grants{ofRoles("leases.create", "")}}, 0, "is empty"},
		"twice":              {authz.Caller{Grants: grants{ofRoles("leases.create", "search", "search")}}, 1, "already roles[0]"},
		"all and one":        {authz.Caller{Grants: grants{ofRoles("leases.create", "search", "*")}}, 1, "no other is named"},
		"of another project": {authz.Caller{Grants: grants{inProjects(ofRoles("leases.create", "search", "batch"), "p1")}}, 1, `"p2", which is not in projects`},
		"about no leases":    {authz.Caller{Grants: grants{ofRoles("leases.reconcile", "search")}}, -1, "about roles of leases"},
	} {
		tc.caller.Name = "me"
		_, err := authz.Compile([]authz.Caller{tc.caller}, methods, leaseRoles()...)
		faults := authz.Faults(err)
		if len(faults) != 1 || faults[0].Field != "roles" || faults[0].Item != tc.item || !strings.Contains(faults[0].Reason, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	policy, err := authz.Compile([]authz.Caller{{Name: "me", Grants: grants{{Permissions: words{"*.read", "leases.create", "leases.*"}}}, Denies: grants{permissions("leases.create")}}}, methods, leaseRoles()...)
	if err != nil {
		t.Fatal(err)
	}
	if w := policy.Warnings(); len(w) != 2 || w[0].Item != 1 || w[1].Item != 2 || w[0].Field != "permissions" {
		t.Errorf("warnings: %v", w)
	}
}

// TestRolesAreImmutable: what the policy was compiled from may change then.
func TestRolesAreImmutable(t *testing.T) {
	t.Parallel()
	methods, roles := leaseMethods(t), leaseRoles()
	policy, err := authz.Compile([]authz.Caller{{Name: "me", Grants: grants{under(ofRoles("leases.create", "search"), `role.scopes == ["api.model.request"]`)}}}, methods, roles...)
	if err != nil {
		t.Fatal(err)
	}
	roles[0].Project, roles[0].Scopes[0] = "p9", "all"
	h, _ := methods.Lookup(createLease)
	if d := policy.Decide("me", h, (&leasev1.CreateLeaseRequest{Role: "search"}).ProtoReflect(), moment); !d.Allowed {
		t.Errorf("%+v", d)
	}
}

func emptyRequest(rpc string) proto.Message {
	switch rpc {
	case revokeLease:
		return &leasev1.RevokeLeaseRequest{LeaseId: "x"}
	case renewLease:
		return &leasev1.RenewLeaseRequest{LeaseId: "x"}
	case listLeases:
		return &leasev1.ListLeasesRequest{}
	default:
		return &leasev1.GetLeaseRequest{LeaseId: "x"}
	}
}
