package authz_test

import (
	"strings"
	"testing"
	"unicode"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/service/authz"
)

func FuzzPattern(f *testing.F) {
	for _, seed := range []string{"*", "*.read", "users.*", "users.read", "", "**", "a..b", "*.*", "users.read\n", "\xff.*"} {
		f.Add(seed)
	}
	methods, declared := compileDeclarations(f), declarations()
	f.Fuzz(func(t *testing.T, pattern string) {
		policy, err := authz.Compile([]authz.Caller{{Name: "me", Grants: grants{permissions(pattern)}}}, methods)
		if err != nil && legalPattern.MatchString(pattern) && len(authz.Faults(err)) != 1 {
			t.Errorf("%q: %v", pattern, err)
		}
		if err == nil && !legalPattern.MatchString(pattern) {
			t.Errorf("%q is taken for legal", pattern)
		}
		for _, m := range declared {
			h, _ := methods.Lookup(m.Procedure)
			if policy.MayCall("me", h).Allowed != (err == nil && oracleMatches(pattern, m.Permission)) {
				t.Errorf("%q: wrong about %s", pattern, m.Permission)
			}
		}
	})
}

// FuzzCondition compiles and evaluates whatever it is given. A condition that
// does not end is found by the fuzzer's own limit.
func FuzzCondition(f *testing.F) {
	for _, seed := range []string{
		"true", notOwner, `request.project_ids.all(p, p.startsWith("a") || size(p) > 3)`, `request.page.matches("(a|b)*c")`,
		`request.project_ids.map(p, p + p).filter(p, p != "").exists_one(p, p == "x")`, `has(request.page) ? 1 / 0 > 2 : [1, 2][request.limit] == 3`,
		`{"a": request.project_ids}["a"][0] == b"x" ` + "\x00", `timestamp("2020-01-01T00:00:00Z") + duration("1h") > request.start_time`, `((((((`, `request.`, "\u202e\xff",
	} {
		f.Add(seed)
	}
	methods := compileDeclarations(f)
	h, _ := methods.Lookup("/admingateway.admin.v1." + listCosts)
	page := strings.Repeat("aé", 100)
	request := (&adminv1.ListCostsRequest{ProjectIds: []string{"a", "", "b", page}, Page: &page}).ProtoReflect()
	f.Fuzz(func(t *testing.T, when string) {
		policy, err := authz.Compile([]authz.Caller{{Name: "me", Grants: grants{{Permissions: []string{"costs.read"}, When: when}}}}, methods)
		for _, fault := range authz.Faults(err) {
			if len(fault.Reason) > 512 || strings.ContainsFunc(fault.Reason, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("reason %q", fault.Reason)
			}
		}
		d := policy.Decide("me", h, request, moment)
		if d.Allowed && err != nil || d != policy.Decide("me", h, request, moment) {
			t.Errorf("%q: %+v, %v", when, d, err)
		}
	})
}
