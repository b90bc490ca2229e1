package authz_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/service/authz"
)

// createAccount has fields that can be unset, such as the end of a key.
const createAccount = "ProjectServiceAccountService/CreateProjectServiceAccount"

func conditional(tb testing.TB, methods *authz.Methods, rpc, when string) (*authz.Policy, *authz.Handle, error) {
	tb.Helper()
	h := handle(tb, methods, rpc)
	policy, err := authz.Compile([]authz.Caller{{Name: "me", Grants: grants{{Permissions: words{h.Permission()}, When: when}}}}, methods)
	return policy, h, err
}

// TestConditionsKnowTheCaller: its name and labels, and the moment. A label that it does
// not have denies, in a grant and in a deny, unless the condition asks first.
func TestConditionsKnowTheCaller(t *testing.T) {
	t.Parallel()
	methods := compileDeclarations(t)
	h := handle(t, methods, listCosts)
	for _, tc := range []struct {
		when            string
		granted, denied authz.Reason // as a grant, and as a deny of what is granted
	}{
		{`caller.name == "me"`, authz.Granted, authz.Denied},
		{`caller.name == "you"`, authz.ConditionFalse, authz.Granted},
		{`caller.labels.team == "search"`, authz.Granted, authz.Denied},
		{`caller.labels["team"] != "search"`, authz.ConditionFalse, authz.Granted},
		{`caller.labels.tier == "gold"`, authz.ConditionFailed, authz.Denied},
		{`caller.labels.tier != "gold"`, authz.ConditionFailed, authz.Denied},
		{`has(caller.labels.tier) && caller.labels.tier == "gold"`, authz.ConditionFalse, authz.Granted},
		{`!("tier" in caller.labels) || caller.labels.tier == "gold"`, authz.Granted, authz.Denied},
		{`request.project_ids.all(p, p.startsWith("proj_" + caller.labels.team + "_"))`, authz.Granted, authz.Denied},
		{`now < timestamp("2026-03-18T16:00:00Z") && now.getDayOfWeek() in [1, 2, 3, 4, 5]`, authz.Granted, authz.Denied},
		{`now >= timestamp("2026-03-18T16:00:00Z")`, authz.ConditionFalse, authz.Granted},
		{`request.start_time > now - duration("24h")`, authz.Granted, authz.Denied},
		{`has(request.page) || now - request.start_time > duration("1h")`, authz.ConditionFalse, authz.Granted},
	} {
		t.Run(tc.when, func(t *testing.T) {
			t.Parallel()
			labels := map[string]string{"team": "search"}
			rule := authz.Grant{Permissions: words{"costs.read"}, When: tc.when}
			granted := compilePolicy(t, methods, authz.Caller{Name: "me", Labels: labels, Grants: grants{rule}})
			denied := compilePolicy(t, methods, authz.Caller{Name: "me", Labels: labels, Grants: grants{permissions("*")}, Denies: grants{rule}})
			request := &adminv1.ListCostsRequest{StartTime: timestamppb.New(moment.Add(-time.Minute)), ProjectIds: words{"proj_search_a"}}
			if d := granted.Decide("me", h, request.ProtoReflect(), moment); d.Reason != tc.granted {
				t.Errorf("granted: %v, want %v", d.Reason, tc.granted)
			}
			if d := denied.Decide("me", h, request.ProtoReflect(), moment); d.Reason != tc.denied {
				t.Errorf("denied: %v, want %v", d.Reason, tc.denied)
			}
		})
	}
	for _, when := range []string{`caller == caller`, `caller.token == ""`, `now() == now`, `request.caller.name == ""`} {
		if _, _, err := conditional(t, methods, listCosts, when); err == nil {
			t.Errorf("%s compiles", when)
		}
	}
}

func TestConditions(t *testing.T) {
	t.Parallel()
	const updateUser = "ProjectUserService/UpdateProjectUser"
	const createStorage = "ExternalStorageService/CreateExternalStorageConfiguration"
	role := "owner"
	gcs := &adminv1.CreateExternalStorageConfigurationRequest{ProjectId: "p", Provider: &adminv1.NewExternalStorageProvider{
		Storage: &adminv1.NewExternalStorageProvider_Gcp{Gcp: &adminv1.NewGcpExternalStorage{Bucket: "b"}},
	}}
	since := &adminv1.ListCostsRequest{StartTime: timestamppb.New(timestamppb.Now().AsTime()), ProjectIds: words{"proj_a", "proj_b"}}
	since.StartTime.Seconds = 1_700_000_000
	cases := []struct {
		when    string
		rpc     string
		request proto.Message
		want    authz.Reason
	}{
		// Enums: by name, by number, unset, in lists.
		{notOwner, createInvite, invite(reader), authz.Granted},
		{notOwner, createInvite, invite(owner), authz.ConditionFalse},
		{`request.role == admingateway.admin.v1.InviteRole.INVITE_ROLE_OWNER`, createInvite, invite(owner), authz.Granted},
		{`request.role == 1`, createInvite, invite(owner), authz.Granted},
		{`request.role == InviteRole.INVITE_ROLE_UNSPECIFIED`, createInvite, invite(0), authz.Granted},
		{`request.role in [InviteRole.INVITE_ROLE_READER]`, createInvite, invite(owner), authz.ConditionFalse},
		{`request.projects.values.all(p, p.role == InviteProjectRole.INVITE_PROJECT_ROLE_MEMBER)`, createInvite, invite(reader, "p1"), authz.Granted},
		{`CostsGroupBy.COSTS_GROUP_BY_LINE_ITEM in request.group_by`, listCosts, since, authz.ConditionFalse},
		{`!(CostsGroupBy.COSTS_GROUP_BY_LINE_ITEM in request.group_by)`, listCosts, since, authz.Granted},

		// Presence.
		{`has(request.role)`, updateUser, &adminv1.UpdateProjectUserRequest{}, authz.ConditionFalse},
		{`has(request.role) && request.role == "owner"`, updateUser, &adminv1.UpdateProjectUserRequest{Role: &role}, authz.Granted},
		{`request.role == ""`, updateUser, &adminv1.UpdateProjectUserRequest{}, authz.ConditionFailed},
		{`request.expires_in_seconds <= 86400`, createAccount, &adminv1.CreateProjectServiceAccountRequest{}, authz.ConditionFailed},
		{`request.expires_in_seconds <= 86400`, createAccount, &adminv1.CreateProjectServiceAccountRequest{ExpiresInSeconds: proto.Int64(60)}, authz.Granted},
		{`has(request.expires_in_seconds) && request.expires_in_seconds <= 86400`, createAccount, &adminv1.CreateProjectServiceAccountRequest{}, authz.ConditionFalse},
		{`request.provider.aws.bucket == ""`, createStorage, &adminv1.CreateExternalStorageConfigurationRequest{ProjectId: "p"}, authz.ConditionFailed},
		{`request.provider.aws.bucket == ""`, createStorage, gcs, authz.ConditionFailed},
		{`has(request.provider.aws)`, createStorage, gcs, authz.ConditionFalse},
		{`has(request.provider.aws)`, createStorage, &adminv1.CreateExternalStorageConfigurationRequest{ProjectId: "p"}, authz.ConditionFailed},
		{`has(request.provider) && has(request.provider.aws)`, createStorage, &adminv1.CreateExternalStorageConfigurationRequest{ProjectId: "p"}, authz.ConditionFalse},

		// Values of one type are looked into like the request itself.
		{`[request][0].expires_in_seconds <= 86400`, createAccount, &adminv1.CreateProjectServiceAccountRequest{}, authz.ConditionFailed},
		{`[request].all(r, r.expires_in_seconds <= 86400)`, createAccount, &adminv1.CreateProjectServiceAccountRequest{}, authz.ConditionFailed},
		{`{"a": request}.a.expires_in_seconds <= 86400`, createAccount, &adminv1.CreateProjectServiceAccountRequest{}, authz.ConditionFailed},
		{`(true ? request : request).expires_in_seconds <= 86400`, createAccount, &adminv1.CreateProjectServiceAccountRequest{}, authz.ConditionFailed},
		{`CreateProjectServiceAccountRequest{}.expires_in_seconds <= 86400`, createAccount, &adminv1.CreateProjectServiceAccountRequest{}, authz.ConditionFailed},
		{`request.expires_at < timestamp("2100-01-01T00:00:00Z")`, createAccount, &adminv1.CreateProjectServiceAccountRequest{}, authz.ConditionFailed},
		{`has(request.projects)`, createInvite, &adminv1.CreateInviteRequest{}, authz.ConditionFalse},
		{`has(request.projects)`, createInvite, invite(reader), authz.Granted},
		{`has(request.bucket_width) == has(request.group_by)`, listCosts, since, authz.Granted},
		{`request.projects.values.size() == 0`, createInvite, &adminv1.CreateInviteRequest{}, authz.ConditionFailed},
		{`!has(request.projects) || request.projects.values.size() == 0`, createInvite, &adminv1.CreateInviteRequest{}, authz.Granted},

		// Functions.
		{`request.email.trim().lowerAscii().endsWith("@example.com")`, createInvite, &adminv1.CreateInviteRequest{Email: "A@EXAMPLE.com "}, authz.Granted},
		{`request.email.matches("^[a-z]+@example[.]com$")`, createInvite, invite(reader), authz.Granted},
		{`matches(request.email, "^someone@")`, createInvite, invite(reader), authz.Granted},
		{`request.email.matches("^[a-z]+$")`, createInvite, invite(reader), authz.ConditionFalse},
		{`size(request.project_ids) == 2 && request.project_ids[0] == "proj_a"`, listCosts, since, authz.Granted},
		{`request.project_ids.exists_one(p, p.contains("b")) && request.project_ids.filter(p, p != "").map(p, p + "x") == ["proj_ax", "proj_bx"]`, listCosts, since, authz.Granted},
		{`request.start_time >= timestamp("2023-11-14T00:00:00Z") && request.start_time.getFullYear() == 2023`, listCosts, since, authz.Granted},
		{`request.start_time + duration("1h") > request.start_time`, listCosts, since, authz.Granted},

		// Failures.
		{notAnInt, createInvite, invite(reader), authz.ConditionFailed},
		{notAnInt + "\n|| true", createInvite, invite(reader), authz.Granted},
		{`1 / int(request.role) > 0`, createInvite, invite(0), authz.ConditionFailed},
		{`request.project_ids[5] == ""`, listCosts, since, authz.ConditionFailed},
		{`request.projects.values[0].id == "p1"`, createInvite, &adminv1.CreateInviteRequest{}, authz.ConditionFailed},
	}
	methods := compileDeclarations(t)
	for _, tc := range cases {
		t.Run(tc.when, func(t *testing.T) {
			t.Parallel()
			policy, h, err := conditional(t, methods, tc.rpc, tc.when)
			if err != nil {
				t.Fatal(err)
			}
			if d := policy.Decide("me", h, tc.request.ProtoReflect(), moment); d.Reason != tc.want {
				t.Errorf("got %v, want %v", d.Reason, tc.want)
			}
		})
	}
}

// TestConditionsThatAreRefused has what compiles in CEL and is not allowed here.
func TestConditionsThatAreRefused(t *testing.T) {
	t.Parallel()
	cases := []struct{ rpc, when, reason string }{
		// The wrong enum: it would compile to a comparison of numbers.
		{createInvite, `request.role != InviteProjectRole.INVITE_PROJECT_ROLE_OWNER`, "column 14: compares the enum admingateway.admin.v1.InviteRole with the enum admingateway.admin.v1.InviteProjectRole"},
		{createInvite, `InviteProjectRole.INVITE_PROJECT_ROLE_OWNER == request.role`, "compares the enum"},
		{createInvite, `request.role in [InviteRole.INVITE_ROLE_READER, InviteProjectRole.INVITE_PROJECT_ROLE_MEMBER]`, "compares the enum"},
		{createInvite, `request.projects.values.all(p, p.role == InviteRole.INVITE_ROLE_READER)`, "compares the enum"},
		{createInvite, `request.projects.values.exists(p, p.role == request.role)`, "compares the enum"},
		{listCosts, `CostsBucketWidth.COSTS_BUCKET_WIDTH_ONE_DAY in request.group_by`, "compares the enum"},
		{createInvite, `request.role > InviteStatus.INVITE_STATUS_EXPIRED`, "compares the enum"},
		{createInvite, `request.role == "owner"`, "no matching overload"},
		{createInvite, `request.role == InviteRole.INVITE_ROLE_ADMIN`, "undeclared reference"},

		// Not linear, or not pure.
		{createInvite, `request.email.replace("", request.email) != ""`, "replace() is not available"},
		{createInvite, `request.email.indexOf(request.email) == 0`, "indexOf() is not available"},
		{createInvite, `request.email.split("@")[1] == ""`, "split() is not available"},
		{createInvite, `"%s".format([request.email]) == ""`, "format() is not available"},
		{createInvite, `dyn(request.email) == 1`, "dyn() is not available"},
		{createInvite, `type(request.email) == string`, "type() is not available"},
		{createInvite, `request.email.matches(request.email)`, "column 22: matches() takes a literal"},
		{createInvite, `matches(request.email, request.email)`, "matches() takes a literal"},
		{createInvite, `matches("a", request.email)`, "matches() takes a literal"},
		{createInvite, `request.email.matches("(")`, "invalid matches argument"},
		{createInvite, `request.email.matches("(x{100}){9}")`, "regex"},
		{listCosts, `(request.project_ids + request.project_ids).size() > 0`, "+ adds numbers"},
		{listCosts, `[request.project_ids].map(p, p + p).map(p, p + p).size() > 0`, "+ adds numbers"},
		{listCosts, `request.start_time.getHours("Europe/Vienna") > 8`, "takes no time zone"},
		{listCosts, `request.start_time > now()`, "undeclared reference"},
		{listCosts, `request.start_time > timestamp("yesterday")`, "invalid timestamp argument"},

		// Of no known type: CEL would read an unset field of it as zero.
		{createAccount, `[request, 1][0].expires_in_seconds <= 86400`, "column 16: looks into a value whose type"},
		{createAccount, `{"a": request, "b": 1}.a.expires_in_seconds <= 86400`, "looks into a value whose type"},
		{createAccount, `[request, 1].exists(r, r.expires_in_seconds <= 86400)`, "looks into a value whose type"},
		{createAccount, `(true ? [request, 1] : [1])[0].expires_in_seconds <= 86400`, "looks into a value whose type"},
		{createAccount, `[request, 1][0]["expires_in_seconds"] <= 86400`, "looks into a value whose type"},
		{createAccount, `has([request, 1][0].expires_in_seconds)`, "looks into a value whose type"},

		// Too large.
		{createInvite, strings.Repeat(" ", 4096) + "true", "size"},
		{createInvite, strings.Repeat("(", 200) + "true" + strings.Repeat(")", 200), "recursion"},
		{createInvite, strings.Repeat("[1", 60) + strings.Repeat("]", 60) + " == []", ""},
		{createInvite, "1" + strings.Repeat("+1", 2000) + " > 0", ""},
		{createInvite, strings.Repeat("1<1||", 800) + "true", "node count"},
	}
	methods := compileDeclarations(t)
	for _, tc := range cases {
		t.Run(tc.when[:min(len(tc.when), 60)], func(t *testing.T) {
			t.Parallel()
			_, _, err := conditional(t, methods, tc.rpc, tc.when)
			faults := authz.Faults(err)
			if len(faults) != 1 || faults[0].Field != "when" || !strings.Contains(faults[0].Reason, tc.reason) {
				t.Errorf("got %v, want %q", err, tc.reason)
			}
		})
	}
}

// TestConditionsEnd evaluates what would take long, in grants and denies.
func TestConditionsEnd(t *testing.T) {
	t.Parallel()
	page := strings.Repeat("é", 8<<10)
	long := &adminv1.ListCostsRequest{ProjectIds: slices.Repeat(words{"p"}, 4000), Page: &page}
	large := &adminv1.ListCostsRequest{ProjectIds: slices.Repeat(words{"p"}, 11_000)}
	cases := []struct {
		when    string
		request *adminv1.ListCostsRequest
	}{
		{`request.project_ids.all(p, request.project_ids.all(q, request.project_ids.all(r, p == r)))`, long},
		{`request.project_ids.all(p, p != request.page)`, long},
		{`request.project_ids.all(p, !request.page.matches("(a|é)*é{50}b$"))`, long},
		{`request.project_ids.map(p, request.page + p).map(p, p + p).map(p, p + p).all(p, p != "")`, long},
		{`size(request.project_ids) > 0`, large},
	}
	methods := compileDeclarations(t)
	for _, tc := range cases {
		t.Run(tc.when, func(t *testing.T) {
			t.Parallel()
			rule := authz.Grant{Permissions: words{"costs.read"}, When: tc.when}
			policy := compilePolicy(t, methods,
				authz.Caller{Name: "granted", Grants: grants{rule}},
				authz.Caller{Name: "denied", Grants: grants{permissions("*")}, Denies: grants{rule}},
			)
			h := handle(t, methods, listCosts)
			if d := policy.Decide("granted", h, tc.request.ProtoReflect(), moment); d.Reason != authz.ConditionFailed {
				t.Errorf("grant: got %+v", d)
			}
			if d := policy.Decide("denied", h, tc.request.ProtoReflect(), moment); d.Reason != authz.Denied || d.Grant != "denies[0]" {
				t.Errorf("deny: got %+v", d)
			}
		})
	}
}
