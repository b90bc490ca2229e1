package authz_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/service/authz"
)

// TestUnguardedReads: each read of a field that need not be there is found, with its
// place, and none that a guard dominates, on either side and through macros.
func TestUnguardedReads(t *testing.T) {
	t.Parallel()
	const (
		createStorage = "ExternalStorageService/CreateExternalStorageConfiguration"
		createRule    = "WorkloadIdentityFederationRuleService/CreateWorkloadIdentityFederationRule"
	)
	end := "request.expires_in_seconds"
	for _, tc := range []struct {
		rpc, when string
		want      string // "column path", each
	}{
		{createAccount, end + ` <= 86400`, "8 " + end},
		{createAccount, `has(` + end + `)`, ""},
		{createAccount, `request.name == ""`, ""},

		// Each side of && and || guards the other one.
		{createAccount, `has(` + end + `) && ` + end + ` <= 86400`, ""},
		{createAccount, end + ` <= 86400 && has(` + end + `)`, ""},
		{createAccount, `!has(` + end + `) || ` + end + ` <= 86400`, ""},
		{createAccount, end + ` <= 86400 || !has(` + end + `)`, ""},
		{createAccount, `has(` + end + `) || ` + end + ` <= 86400`, "43 " + end},
		{createAccount, `!has(` + end + `) && ` + end + ` <= 86400`, "44 " + end},
		{createAccount, `!(has(` + end + `) && true) || ` + end + ` <= 86400`, ""},
		{createAccount, `!(!has(` + end + `) || request.name == "") && ` + end + ` <= 86400`, ""},
		{createAccount, `(has(` + end + `) || has(request.expires_at)) && ` + end + ` <= 86400`, "72 " + end},
		{createAccount, `(has(` + end + `) && request.name == "a" || has(` + end + `)) && ` + end + ` <= 86400`, ""},
		{createAccount, `has(request.expires_at) && ` + end + ` <= 86400`, "35 " + end},

		// Choices.
		{createAccount, `has(` + end + `) ? ` + end + ` <= 86400 : false`, ""},
		{createAccount, `has(` + end + `) ? true : ` + end + ` <= 86400`, "49 " + end},
		{createAccount, `!has(` + end + `) ? true : ` + end + ` <= 86400`, ""},
		{createAccount, `(has(` + end + `) ? request.name == "a" : false) && ` + end + ` <= 86400`, ""},
		{createAccount, `(has(` + end + `) ? request.name == "a" : true) && ` + end + ` <= 86400`, "74 " + end},

		// Macros.
		{createAccount, `has(` + end + `) && [1, 2].all(i, ` + end + ` > i)`, ""},
		{createAccount, `[1, 2].all(i, ` + end + ` > i)`, "22 " + end},
		{createAccount, `[1, 2].exists(i, has(` + end + `) && ` + end + ` > i)`, ""},
		{createAccount, `[request].all(r, has(r.expires_in_seconds) && r.expires_in_seconds < 5)`, ""},
		{createAccount, `[request].all(r, has(` + end + `) && r.expires_in_seconds < 5)`, "54 r.expires_in_seconds"},
		{createAccount, `has(` + end + `) && [CreateProjectServiceAccountRequest{}].all(request, ` + end + ` < 5)`, "95 " + end},
		{createAccount, `[1].map(i, has(` + end + `), ` + end + `) == [5]`, ""},
		{createInvite, `request.projects.values.all(p, p.role == InviteProjectRole.INVITE_PROJECT_ROLE_MEMBER)`, "8 request.projects"},
		{createInvite, `has(request.projects) && request.projects.values.all(p, p.role == InviteProjectRole.INVITE_PROJECT_ROLE_MEMBER)`, ""},

		// Depth: to ask for a field takes the message that has it.
		{createStorage, `has(request.provider.aws)`, "12 request.provider"},
		{createStorage, `has(request.provider) && has(request.provider.aws)`, ""},
		{createStorage, `has(request.provider.aws) && request.provider.aws.bucket == ""`, "12 request.provider"},
		{createStorage, `has(request.provider) && request.provider.aws.bucket == ""`, "42 request.provider.aws"},
		{createStorage, `has(request.provider) && has(request.provider.aws) && request.provider.aws.bucket == ""`, ""},
		{createRule, `request.attribute_matchers["sub"].string_value == ""`, "27 request.attribute_matchers.sub, 34 request.attribute_matchers.sub.string_value"},
		{createRule, `"sub" in request.attribute_matchers && has(request.attribute_matchers["sub"].string_value) && request.attribute_matchers["sub"].string_value == ""`, ""},

		// Labels, of which the caller has one.
		{createAccount, `caller.labels.team == "search"`, ""},
		{createAccount, `caller.labels["team"] == "search"`, ""},
		{createAccount, `caller.labels.tier == "gold"`, "14 caller.labels.tier"},
		{createAccount, `has(caller.labels.tier) && caller.labels.tier == "gold"`, ""},
		{createAccount, `"tier" in caller.labels && caller.labels["tier"] == "gold"`, ""},
		{createAccount, `caller.labels[request.name] == "gold"`, "14 a value"},

		// No path: nothing can guard it.
		{createAccount, `[request].filter(r, has(r.expires_in_seconds))[0].expires_in_seconds < 5`, "50 a value"},
	} {
		t.Run(tc.when, func(t *testing.T) {
			t.Parallel()
			methods := compileDeclarations(t)
			h := handle(t, methods, tc.rpc)
			rule := authz.Grant{Permissions: words{h.Permission()}, When: tc.when}
			policy := compilePolicy(t, methods, authz.Caller{Name: "me", Labels: map[string]string{"team": "search"}, Grants: grants{permissions("*"), rule}, Denies: grants{rule}})
			var want []string
			for _, list := range []string{"grants[1]", "denies[0]"} {
				for one := range strings.SplitSeq(tc.want, ", ") {
					if column, path, ok := strings.Cut(one, " "); ok {
						want = append(want, list+".when: line 1, column "+column+": "+path+" need not be there for "+tc.rpc+":")
					}
				}
			}
			warnings := policy.Warnings()
			for i, warning := range warnings {
				if i >= len(want) || !strings.Contains(warning.Error(), want[i]) {
					t.Errorf("%v", warning)
				}
			}
			if len(warnings) != len(want) {
				t.Errorf("%d warnings, want %q", len(warnings), want)
			}
		})
	}
}

// TestAWarningIsOnceForManyRPCs: a condition over many RPCs is one warning for each path.
func TestAWarningIsOnceForManyRPCs(t *testing.T) {
	t.Parallel()
	methods := compileDeclarations(t)
	policy := compilePolicy(t, methods, authz.Caller{Name: "me", Grants: grants{{Permissions: words{"usage.read"}, When: "request.limit <\n 5 || request.limit > 6"}}})
	if w := policy.Warnings(); len(w) != 1 || !strings.Contains(w[0].Reason, "more RPCs") || !strings.Contains(w[0].Reason, "line 1, column 8: request.limit") {
		t.Errorf("got %v", w)
	}
}

// TestNoWarningIsNoFailure: a condition without a warning never fails for want of a
// field: whichever of its fields are set, the decision is no failure.
func TestNoWarningIsNoFailure(t *testing.T) {
	t.Parallel()
	methods := compileDeclarations(t)
	h := handle(t, methods, createAccount)
	atoms := []string{"has(request.expires_in_seconds)", "has(request.expires_at)", "(request.expires_in_seconds < 5)", "(request.expires_at > now)", "true", "false"}
	requests := []*adminv1.CreateProjectServiceAccountRequest{{}, {ExpiresInSeconds: proto.Int64(3)}, {ExpiresInSeconds: proto.Int64(9)}}
	checked, warned := 0, 0
	for _, a := range atoms {
		for _, b := range atoms {
			for _, c := range atoms {
				for _, form := range []string{"%s && %s && %s", "%s || %s || %s", "%s && (%s || %s)", "%s || %s && %s", "%s ? %s : %s", "!(%s && %s) || %s", "!%s || !(%s || !%s)", "!(%s ? %s : !%s)"} {
					when := fmt.Sprintf(form, a, b, c)
					policy := compilePolicy(t, methods, authz.Caller{Name: "me", Grants: grants{{Permissions: words{h.Permission()}, When: when}}})
					if len(policy.Warnings()) > 0 {
						warned++
						continue
					}
					checked++
					for _, request := range requests {
						if d := policy.Decide("me", h, request.ProtoReflect(), moment); d.Reason == authz.ConditionFailed {
							t.Errorf("%s fails for {%v} without a warning", when, request)
						}
					}
				}
			}
		}
	}
	if checked < 300 || warned < 300 {
		t.Errorf("%d without a warning, %d with one", checked, warned)
	}
}
